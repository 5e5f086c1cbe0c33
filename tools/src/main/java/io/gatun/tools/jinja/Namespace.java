package io.gatun.tools.jinja;

import java.util.Map;

/** What {@code namespace()} gives: the one object that a template can assign to. */
record Namespace(Map<String, Object> attributes) {}
