package io.gatun.tools.recall;

import io.gatun.attention.Team;
import io.gatun.cache.KvType;
import io.gatun.tools.model.Model;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;

class TryIt {
  public static void main(String[] a) throws Exception {
    Path f = Path.of("/tmp/recall/model");
    long t0 = System.nanoTime();
    Recall.ensure(f);
    System.out.printf("write %.1f ms%n", (System.nanoTime() - t0) / 1e6);
    try (Model m = Model.load(f);
        Team team = Team.of(2)) {
      for (KvType type : KvType.values()) {
        try (Runner r = new Runner(m, team, type)) {
          t0 = System.nanoTime();
          byte[] text = a.length > 0 ? Files.readAllBytes(Path.of(a[0])) : Recall.text().getBytes();
          r.read(text);
          double s = (System.nanoTime() - t0) / 1e9;
          r.read(Recall.defaultPrompt().getBytes());
          float best = r.logit(r.best());
          t0 = System.nanoTime();
          byte[] out = r.continueWith(600);
          double d = (System.nanoTime() - t0) / 1e9;
          String full = new String(text, StandardCharsets.UTF_8);
          int at = full.indexOf(Recall.defaultPrompt()) + Recall.defaultPrompt().length();
          System.out.printf(
              "%s prefill %.2f s (%.0f tok/s), best %.3f, decode %.0f tok/s, kv %d MB, verbatim"
                  + " %s%n",
              type,
              s,
              text.length / s,
              best,
              600 / d,
              r.cache.blockBytes() >> 20,
              full.substring(at, at + 600).equals(new String(out)));
          System.out.println(new String(out, 0, 200));
          System.out.println(r.decoder.timings());
        }
      }
    }
  }
}
