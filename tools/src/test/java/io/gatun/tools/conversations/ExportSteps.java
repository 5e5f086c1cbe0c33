package io.gatun.tools.conversations;

import io.gatun.store.ConversationStore;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.function.BiConsumer;
import java.util.function.Supplier;

/**
 * Export and import for the fault tests of the cache module, which find this class by its name: of
 * the conversation that the file is named after, and from a file to the conversation {@code new}.
 */
public final class ExportSteps
    implements Supplier<Map<String, BiConsumer<ConversationStore, Path>>> {
  @Override
  public Map<String, BiConsumer<ConversationStore, Path>> get() {
    return Map.of("export", ExportSteps::export, "import", ExportSteps::restore);
  }

  private static void export(ConversationStore store, Path file) {
    try {
      String name = file.getFileName().toString();
      ConversationExport.run(store, name.substring(0, name.indexOf('.')), file, null);
    } catch (IOException e) {
      throw new CompletionException(e);
    }
  }

  private static void restore(ConversationStore store, Path file) {
    try {
      ConversationImport.run(store, file, "new", false);
    } catch (IOException e) {
      throw new CompletionException(e);
    }
  }
}
