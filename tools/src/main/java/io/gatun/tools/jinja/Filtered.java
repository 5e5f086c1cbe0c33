package io.gatun.tools.jinja;

import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.function.Predicate;

/** Elements for which something holds, looked for when the next one is asked for. */
final class Filtered implements Iterator<Object> {
  private final Iterator<Object> items;
  private final Predicate<Object> holds;
  private Object next;
  private boolean found;

  Filtered(Iterator<Object> items, Predicate<Object> holds) {
    this.items = items;
    this.holds = holds;
  }

  @Override
  public boolean hasNext() {
    while (!found && items.hasNext()) {
      next = items.next();
      found = holds.test(next);
    }
    return found;
  }

  @Override
  public Object next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    found = false;
    return next;
  }
}
