/**
 * Executes Jinja templates as Python's jinja2 does in the setting that chat templates are written
 * for: an immutable sandbox, trimmed blocks, loop controls, generation blocks.
 *
 * <p>Design note: the rule is "the same text or a refusal". What jinja2 can do and this cannot is
 * refused with its name and line when it is reached. com.hubspot.jinjava 2.8.4 was tried first: of
 * the 384 texts of our templates' tests it gave 62, refused 228, and 94 were others without an
 * error. It prints {@code true} for {@code True} and {@code [1, a]} for {@code [1, 'a']}, ignores
 * the indent of tojson, takes an attribute of an undefined value for an empty text, and says of a
 * text that it is not iterable. That seems to lie in its evaluator; it was tried without additions
 * of its own, such as raise_exception and strftime_now, which some of the refusals come from.
 */
package io.gatun.tools.jinja;
