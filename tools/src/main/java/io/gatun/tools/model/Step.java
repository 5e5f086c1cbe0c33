package io.gatun.tools.model;

import io.gatun.attention.Team;
import io.gatun.attention.TokenTree;
import io.gatun.cache.KvCache;
import io.gatun.tools.matrix.Activations;
import io.gatun.tools.matrix.InputMajor;
import io.gatun.tools.matrix.InputMajorProduct;
import io.gatun.tools.matrix.MatrixProduct;
import io.gatun.tools.matrix.ProjectionGroup;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** The step under way, and what all parts of a decoder work with. */
final class Step {
  final KvCache cache;
  final Team team;
  final MatrixProduct product;
  final InputMajorProduct inputMajor; // null where no weights lie so
  final Timings timings = new Timings();

  /** Position of the step's first token. */
  long start;

  /** The tree that the tokens are; null where they follow each other. */
  TokenTree tree;

  Step(KvCache cache, Team team, MatrixProduct product, InputMajorProduct inputMajor) {
    this.cache = cache;
    this.team = team;
    this.product = product;
    this.inputMajor = inputMajor;
  }

  /** Position of a token of the step. */
  long position(int token) {
    return start + (tree == null ? token : tree.depth(token));
  }

  /** Products of weights. */
  void multiply(ProjectionGroup group, Activations x, int tokens) {
    long from = System.nanoTime();
    product.multiply(group, x, tokens);
    timings.weights(from);
  }

  /** A product of weights with the inputs outermost. */
  void multiply(InputMajor weight, Activations x, int tokens, MemorySegment out) {
    long from = System.nanoTime();
    inputMajor.multiply(weight, x, tokens, out);
    timings.weights(from);
  }

  /** Work that is neither products of weights nor attention. */
  void run(int tasks, Team.Task task) {
    long from = System.nanoTime();
    team.run(tasks, task);
    timings.other(from);
  }

  /** A buffer {@code [tokens][dim]}. */
  static MemorySegment floats(int tokens, int dim, Arena arena) {
    return arena.allocate(4L * tokens * dim, 64);
  }
}
