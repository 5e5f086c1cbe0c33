package io.gatun.tools.jinja;

import java.util.List;

/** A tuple of Python: a list that is no list. */
record Tuple(List<Object> items) {}
