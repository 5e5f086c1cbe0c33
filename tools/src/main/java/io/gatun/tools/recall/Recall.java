package io.gatun.tools.recall;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * The built-in model and what it is shown with: weights that are computed, not trained, which
 * continue any passage of the context verbatim. {@link io.gatun.tools.recall The package} says how.
 * Any thread.
 */
public final class Recall {
  /** Bytes of a prompt that are compared with the context; a prompt should have as many. */
  public static final int MATCH_BYTES = RecallDesign.MATCH;

  /** Longest context, in bytes, for which the model's margins are proven. */
  public static final int MAX_CONTEXT = RecallDesign.MAX_POSITIONS;

  private static final String TEXT = "moby-dick.txt";
  private static final String PROMPT =
      "Chief among these motives was the overwhelming idea of the great\nwhale himself.";

  private Recall() {}

  /**
   * Writes the model as a Hugging Face folder of about 3 MB; the same bytes each time. Nothing
   * happens if it is there already.
   *
   * @param folder a new or empty folder
   * @throws io.gatun.cache.GatunException if the folder holds something else, or cannot be written
   */
  public static void write(Path folder) {
    new RecallFolder().write(folder);
  }

  /**
   * Makes sure that a folder which belongs to Gatun holds this model. If it holds one of another
   * version of Gatun, that one is removed; processes that have it mapped keep it.
   *
   * @return the folder
   * @throws io.gatun.cache.GatunException if it cannot be written
   */
  public static Path ensure(Path folder) {
    RecallFolder recall = new RecallFolder();
    recall.removeOther(folder);
    recall.write(folder);
    return folder;
  }

  /** The bundled text: the first two chapters of Moby-Dick, 20,199 bytes of ASCII. */
  public static String text() {
    try (InputStream in = Recall.class.getResourceAsStream(TEXT)) {
      if (in == null) {
        throw new IllegalStateException("the resource " + TEXT + " is missing from the build");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new IllegalStateException("cannot read the resource " + TEXT, e);
    }
  }

  /** A passage from the middle of {@link #text}, which stands there once. */
  public static String defaultPrompt() {
    return PROMPT;
  }
}
