/** {@code gatun bench}: the commands that measure. */
package io.gatun.bench;
