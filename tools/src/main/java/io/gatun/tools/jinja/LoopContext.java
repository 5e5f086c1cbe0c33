package io.gatun.tools.jinja;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.function.BiFunction;

/** What {@code loop} is inside a loop. */
final class LoopContext implements Callable {
  private static final Set<String> NAMES =
      Set.of(
          "index0",
          "index",
          "revindex0",
          "revindex",
          "first",
          "last",
          "length",
          "depth",
          "depth0",
          "previtem",
          "nextitem",
          "cycle",
          "changed");

  private static final Object NOTHING = new Object();

  private final int knownLength;
  private final int depth0;
  private final BiFunction<Object, Integer, Object> recurse;
  private Iterator<Object> items;
  private int index0 = -1;
  private int length = -1;
  private Object before = NOTHING;
  private Object current = NOTHING;
  private Object after = NOTHING;
  private Object lastChanged = NOTHING;

  /**
   * A loop that is about to begin.
   *
   * @param knownLength -1 if its items have to be counted
   * @param recurse renders the loop for other items one level deeper; null if it may not
   */
  LoopContext(
      Iterator<Object> items,
      int knownLength,
      int depth0,
      BiFunction<Object, Integer, Object> recurse) {
    this.items = items;
    this.knownLength = knownLength;
    this.depth0 = depth0;
    this.recurse = recurse;
  }

  boolean hasNext() {
    return after != NOTHING || items.hasNext();
  }

  Object next() {
    Object next = after != NOTHING ? after : items.next();
    after = NOTHING;
    index0++;
    before = current;
    current = next;
    return next;
  }

  int length() {
    if (knownLength >= 0) {
      return knownLength;
    }
    if (length < 0) {
      List<Object> rest = new ArrayList<>();
      items.forEachRemaining(rest::add);
      items = rest.iterator();
      length = rest.size() + index0 + 1 + (after == NOTHING ? 0 : 1);
    }
    return length;
  }

  private Object peek() {
    if (after == NOTHING && items.hasNext()) {
      after = items.next();
    }
    return after;
  }

  boolean has(String name) {
    return NAMES.contains(name);
  }

  /** Its attribute; null if it has none of that name. */
  Object attribute(String name) {
    return switch (name) {
      case "index0" -> (long) index0;
      case "index" -> index0 + 1L;
      case "revindex0" -> (long) length() - index0 - 1;
      case "revindex" -> (long) length() - index0;
      case "first" -> index0 == 0;
      case "last" -> peek() == NOTHING;
      case "length" -> (long) length();
      case "depth0" -> (long) depth0;
      case "depth" -> depth0 + 1L;
      case "previtem" -> index0 == 0 ? new Undefined("there is no previous item") : before;
      case "nextitem" -> peek() == NOTHING ? new Undefined("there is no next item") : peek();
      case "cycle" -> (Callable) this::cycle;
      case "changed" -> (Callable) this::changed;
      default -> null;
    };
  }

  private Object cycle(Arguments arguments) {
    List<Object> values = arguments.positional();
    if (values.isEmpty()) {
      throw new JinjaException("loop.cycle has nothing to cycle through");
    }
    return values.get(index0 % values.size());
  }

  private Object changed(Arguments arguments) {
    Object now = Tuples.of(arguments.positional());
    boolean changed = lastChanged == NOTHING || !PyOps.equal(lastChanged, now);
    lastChanged = now;
    return changed;
  }

  @Override
  public Object call(Arguments arguments) {
    if (recurse == null) {
      throw new JinjaException("a loop that calls itself needs the word 'recursive'");
    }
    return recurse.apply(arguments.positional("loop", 1)[0], depth0 + 1);
  }
}
