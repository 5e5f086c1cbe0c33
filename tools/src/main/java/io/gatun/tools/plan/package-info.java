/**
 * The planner: what a context costs in bytes, and what it costs at least in time, before a model is
 * loaded. {@code tools/PLAN.md} shows the arithmetic.
 */
package io.gatun.tools.plan;
