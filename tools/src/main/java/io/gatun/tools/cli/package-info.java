/** What all commands share: how they fail, how they show progress and sizes. */
package io.gatun.tools.cli;
