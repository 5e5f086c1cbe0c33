package io.gatun.store.fault;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Fault 3b: the power goes, or a process is killed and then the power goes, just after
 * conversations or the store itself came to be, were forked, renamed or deleted. Whoever only reads
 * afterwards sees what was acknowledged, before anybody opened the store for writing; beside it
 * stands a control that must lose data, see {@link PowerCut}. {@code ExportFaultTest} in the tools
 * does the same with exports.
 */
class PowerCutReadersTest {
  @TempDir Path temp;

  @Test
  void readersSeeWhatWasAcknowledgedBeforeThePowerWent() throws Throwable {
    Faults.needRootAnd("mount", "mkfs.ext4");
    PowerCutRounds.run(temp, Faults.rounds(2, 100), Faults.seed(getClass()), null);
  }
}
