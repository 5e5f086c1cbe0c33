package io.gatun.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.management.ManagementFactory;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class TeamTest {
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 8})
  void doesEveryTaskOnce(int threads) {
    try (Team team = Team.of(threads)) {
      assertThat(team.threads()).isEqualTo(threads);
      for (int round = 0; round < 5000; round++) {
        int tasks = round % 17;
        AtomicIntegerArray done = new AtomicIntegerArray(17);
        AtomicIntegerArray busy = new AtomicIntegerArray(threads);
        AtomicInteger clashes = new AtomicInteger();
        team.run(
            tasks,
            (task, worker) -> {
              if (busy.getAndSet(worker, 1) != 0) {
                clashes.incrementAndGet();
              }
              done.incrementAndGet(task);
              busy.set(worker, 0);
            });
        for (int task = 0; task < 17; task++) {
          assertThat(done.get(task)).isEqualTo(task < tasks ? 1 : 0);
        }
        assertThat(clashes).hasValue(0);
      }
    }
  }

  @Test
  void callersTakeTurns() throws InterruptedException {
    try (Team team = Team.of(3)) {
      AtomicInteger inside = new AtomicInteger();
      AtomicInteger wrong = new AtomicInteger();
      Thread[] callers = new Thread[4];
      for (int i = 0; i < callers.length; i++) {
        int caller = i;
        callers[i] =
            new Thread(() -> {
              for (int round = 0; round < 2000; round++) {
                team.run(
                    5,
                    (task, worker) -> {
                      int now = inside.accumulateAndGet(1 << 8 * caller, Integer::sum);
                      if ((now & ~(0xff << 8 * caller)) != 0) {
                        wrong.incrementAndGet();
                      }
                      inside.accumulateAndGet(-(1 << 8 * caller), Integer::sum);
                    });
              }
            });
        callers[i].start();
      }
      for (Thread caller : callers) {
        caller.join();
      }
      assertThat(wrong).hasValue(0);
      assertThat(inside).hasValue(0);
    }
  }

  /** A caller whose work fails does not disturb the next one, who waits meanwhile. */
  @Test
  void aFailureIsItsOwnCallersOnly() throws InterruptedException {
    try (Team team = Team.of(2)) {
      AtomicInteger failures = new AtomicInteger();
      AtomicInteger others = new AtomicInteger();
      AtomicInteger done = new AtomicInteger();
      Thread[] callers = new Thread[4];
      for (int i = 0; i < callers.length; i++) {
        boolean fails = i % 2 == 0;
        callers[i] =
            new Thread(() -> {
              for (int round = 0; round < 500; round++) {
                try {
                  team.run(
                      3,
                      (task, worker) -> {
                        if (fails) {
                          throw new IllegalArgumentException("on purpose");
                        }
                        done.incrementAndGet();
                      });
                } catch (IllegalArgumentException e) {
                  (fails ? failures : others).incrementAndGet();
                }
              }
            });
        callers[i].start();
      }
      for (Thread caller : callers) {
        caller.join();
      }
      assertThat(failures).hasValue(1000);
      assertThat(others).hasValue(0);
      assertThat(done).hasValue(3000);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void theFirstExceptionReachesTheCaller(int threads) {
    try (Team team = Team.of(threads)) {
      for (int round = 0; round < 200; round++) {
        int bad = round % 10;
        assertThatThrownBy(() ->
                team.run(
                    10,
                    (task, worker) -> {
                      if (task == bad) {
                        throw new IllegalArgumentException("task " + task);
                      }
                    }))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessage("task " + bad);
      }
      AtomicInteger done = new AtomicInteger();
      team.run(10, (task, worker) -> done.incrementAndGet());
      assertThat(done).hasValue(10);
    }
  }

  @Test
  void anInterruptedCallerGetsAllItsWorkDone() {
    try (Team team = Team.of(2)) {
      AtomicInteger done = new AtomicInteger();
      Thread.currentThread().interrupt();
      for (int round = 0; round < 100; round++) {
        team.run(
            4,
            (task, worker) -> {
              Thread.onSpinWait();
              done.incrementAndGet();
            });
      }
      assertThat(Thread.interrupted()).isTrue();
      assertThat(done).hasValue(400);
    }
  }

  @Test
  void refusesWorkFromItsOwnTasksAndAfterClosing() throws InterruptedException {
    Team team = Team.of(2);
    AtomicReference<Throwable> thrown = new AtomicReference<>();
    CountDownLatch both = new CountDownLatch(2);
    team.run(
        2,
        (task, worker) -> {
          // Both threads hold a task, so that one of the two is a worker's.
          both.countDown();
          try {
            both.await();
            team.run(1, (t, w) -> {});
          } catch (InterruptedException | RuntimeException e) {
            if (worker == 1) {
              thrown.set(e);
            }
          }
        });
    assertThat(thrown.get()).hasMessage("a task cannot hand work to its own team");
    assertThatThrownBy(() -> team.run(2, (task, worker) -> team.run(1, (t, w) -> {})))
        .hasMessage("a task cannot hand work to its own team");
    team.close();
    team.close();
    assertThatThrownBy(() -> team.run(2, (task, worker) -> {})).hasMessage("the team is closed");
    assertThatThrownBy(() -> Team.of(0)).hasMessage("threads is 0, not at least 1");
  }

  @Test
  void anIdleTeamSleeps() throws InterruptedException {
    try (Team team = Team.of(2)) {
      AtomicReference<Thread> worker = new AtomicReference<>();
      CountDownLatch both = new CountDownLatch(2);
      team.run(
          2,
          (task, number) -> {
            both.countDown();
            try {
              both.await();
            } catch (InterruptedException e) {
              throw new IllegalStateException(e);
            }
            if (number == 1) {
              worker.set(Thread.currentThread());
            }
          });
      Thread.sleep(50);
      long id = worker.get().threadId();
      long before = ManagementFactory.getThreadMXBean().getThreadCpuTime(id);
      Thread.sleep(200);
      long used = ManagementFactory.getThreadMXBean().getThreadCpuTime(id) - before;
      assertThat(used).isLessThan(20_000_000);
    }
  }
}
