/** {@code gatun inspect}: what a stored conversation is. */
package io.gatun.tools.inspect;
