/** What is timed: filled caches and the steps over them, the same for every command. */
package io.gatun.bench.work;
