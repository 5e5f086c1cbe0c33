package io.gatun.store.fault;

import io.gatun.store.ConversationStore;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.function.BiConsumer;
import java.util.function.Supplier;

/**
 * What other modules do with a store and a file: {@code export} the conversation that the file is named
 * after, {@code import} it under the name {@code new}. The class is named on the command line of the
 * JVM that does it, since this module knows nothing of others: a {@code Supplier<Map<String,
 * BiConsumer<ConversationStore, Path>>>}. An IOException that they document comes in a
 * CompletionException.
 */
final class Outside {
  private final Map<?, ?> steps;

  private Outside(Map<?, ?> steps) {
    this.steps = steps;
  }

  /** The steps that a class supplies. */
  static Outside of(String name) throws ReflectiveOperationException {
    Object supplier = Class.forName(name).getDeclaredConstructor().newInstance();
    return new Outside((Map<?, ?>) ((Supplier<?>) supplier).get());
  }

  /** Runs one of them. */
  void run(String step, ConversationStore store, Path file) {
    @SuppressWarnings("unchecked") // it is what the class promises
    BiConsumer<ConversationStore, Path> body =
        (BiConsumer<ConversationStore, Path>) steps.get(step);
    try {
      body.accept(store, file);
    } catch (CompletionException e) {
      if (e.getCause() instanceof IOException documented) {
        throw new Session.OwnFailure(documented);
      }
      throw e;
    }
  }
}
