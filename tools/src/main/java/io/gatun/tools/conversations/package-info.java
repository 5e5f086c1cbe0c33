/** {@code gatun conversations}: what is in a store, and what can be done with it. */
package io.gatun.tools.conversations;
