/**
 * Executes Jinja templates as Python's jinja2 does in the setting that chat templates are written
 * for: an immutable sandbox, trimmed blocks, loop controls, generation blocks.
 *
 * <p>Design note: the rule is "the same text or a refusal". What jinja2 can do and this cannot is
 * refused with its name and line when it is reached. com.hubspot.jinjava was tried first: it prints
 * {@code true} for {@code True} and {@code [1, a]} for {@code [1, 'a']}, ignores the indent of
 * tojson and has other separators, takes an attribute of an undefined value for an empty text, and
 * says of a text that it is not iterable, all without an error; these lie in its evaluator and
 * no setting or filter of one's own reaches them.
 */
package io.gatun.tools.jinja;
