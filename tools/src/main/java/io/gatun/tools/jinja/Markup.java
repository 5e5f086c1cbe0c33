package io.gatun.tools.jinja;

/** A text that a filter has marked as safe HTML. It can be printed; anything else is refused. */
record Markup(String text) {}
