/** The built-in model. */
package io.gatun.tools.recall;
