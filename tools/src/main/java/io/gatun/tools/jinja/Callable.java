package io.gatun.tools.jinja;

/** Something that a template can call: a function, a method or a macro. */
@FunctionalInterface
interface Callable {
  Object call(Arguments arguments);
}
