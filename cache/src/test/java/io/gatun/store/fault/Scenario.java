package io.gatun.store.fault;

/**
 * What a program does while a system call fails.
 *
 * @param name of the scenario
 * @param killed whether the program that made the store before was killed, and not ended
 * @param base makes the store that is there before
 * @param ready what the program does before the call fails
 * @param act what it does while the call fails
 */
record Scenario(String name, boolean killed, Step base, Step ready, Step act) {

  /** A part of a program. */
  @FunctionalInterface
  interface Step {
    void run(Session session) throws Exception;
  }

  /** Over a store whose last program ended in good order. */
  static Scenario of(String name, Step base, Step ready, Step act) {
    return new Scenario(name, false, base, ready, act);
  }

  /** Over a store whose last program was killed. */
  static Scenario afterAKill(String name, Step base, Step ready, Step act) {
    return new Scenario(name, true, base, ready, act);
  }
}
