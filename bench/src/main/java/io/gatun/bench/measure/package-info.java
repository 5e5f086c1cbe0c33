/** How things are timed: alternating rounds, medians with their spread, and the two ceilings. */
package io.gatun.bench.measure;
