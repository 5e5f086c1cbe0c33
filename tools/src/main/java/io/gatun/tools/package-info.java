/** The {@code gatun} command. Each subcommand stands in the package of its name. */
package io.gatun.tools;
