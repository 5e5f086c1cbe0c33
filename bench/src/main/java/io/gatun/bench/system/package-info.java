/** What the machine and its kernel say: who measured, memory, page faults, limits. */
package io.gatun.bench.system;
