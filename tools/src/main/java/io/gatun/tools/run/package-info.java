/** {@code gatun run}: a model reads a context into a stored cache and continues it. */
package io.gatun.tools.run;
