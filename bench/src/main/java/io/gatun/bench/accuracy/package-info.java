/** What the element types cost in accuracy. */
package io.gatun.bench.accuracy;
