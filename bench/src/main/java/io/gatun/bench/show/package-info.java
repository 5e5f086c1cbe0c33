/** How results look: tables, charts, JSON, and the floors they are held against. */
package io.gatun.bench.show;
