/**
 * The report: what KV caching and grouped queries cost and save, as one page of figures and tables,
 * each computed or measured by Gatun's own code when the page is made.
 */
package io.gatun.tools.report;
