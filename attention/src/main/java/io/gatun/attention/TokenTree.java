package io.gatun.attention;

import java.util.Arrays;
import java.util.Objects;

/**
 * Tokens that stand for several ways to go on at once, as a draft proposes them for verification
 * (SpecInfer, Miao et al., 2024, section 4): each token follows a parent, and sees it, its parent's
 * parents and the sequence before the tree, nothing else.
 *
 * <pre>
 *   parents  -1  0  0  1  1  2        token 0 follows the sequence; 1 and 2 are two ways to follow 0;
 *   depth     0  1  1  2  2  2        3 and 4 follow 1, and 5 follows 2
 * </pre>
 *
 * A token's position is the length of the sequence plus its depth: that is where it will stand if
 * its path is accepted. Immutable; any thread.
 */
public final class TokenTree {
  private final int[] parents;
  private final int[] depths;

  /** The tokens path by path, each once: on the first path that it is part of. */
  private final int[] order;

  /** The path that {@code order[i]} is taken with. */
  private final int[] pathOf;

  /** The paths from a token without a parent to one without children. */
  private final int[][] paths;

  /** How many tokens at the front of each path are those of the same number: 0, 1, 2, ... */
  private final int[] straight;

  private TokenTree(int[] parents) {
    int tokens = parents.length;
    this.parents = parents;
    this.depths = new int[tokens];
    boolean[] inner = new boolean[tokens];
    for (int token = 0; token < tokens; token++) {
      if (parents[token] >= 0) {
        depths[token] = depths[parents[token]] + 1;
        inner[parents[token]] = true;
      }
    }
    int leaves = 0;
    for (boolean isInner : inner) {
      leaves += isInner ? 0 : 1;
    }
    this.paths = new int[leaves][];
    this.straight = new int[leaves];
    this.order = new int[tokens];
    this.pathOf = new int[tokens];
    boolean[] taken = new boolean[tokens];
    int path = 0;
    int next = 0;
    for (int leaf = 0; leaf < tokens; leaf++) {
      if (inner[leaf]) {
        continue;
      }
      paths[path] = path(leaf);
      straight[path] = straight(paths[path]);
      for (int token : paths[path]) {
        if (!taken[token]) {
          taken[token] = true;
          order[next] = token;
          pathOf[next++] = path;
        }
      }
      path++;
    }
  }

  private static int straight(int[] path) {
    int count = 0;
    while (count < path.length && path[count] == count) {
      count++;
    }
    return count;
  }

  /**
   * A tree of as many tokens as there are parents.
   *
   * @param parents for each token the number of the token before it, smaller than its own, or -1 if
   *     it follows the sequence
   * @throws IllegalArgumentException if there is no token, or a parent does not come before its
   *     child; the message names the token
   */
  public static TokenTree of(int... parents) {
    if (parents.length == 0) {
      throw new IllegalArgumentException("a tree of no tokens");
    }
    for (int token = 0; token < parents.length; token++) {
      int parent = parents[token];
      if (parent < -1 || parent >= parents.length) {
        throw new IllegalArgumentException(
            "the parent of token %d is %d, not -1 (it follows the sequence) or a token before it"
                .formatted(token, parent));
      }
      if (parent >= token) {
        throw new IllegalArgumentException(
            "the parent of token %d is %d: a parent must come before its children"
                .formatted(token, parent));
      }
    }
    return new TokenTree(parents.clone());
  }

  /** A tree without branches: each token follows the one before it. */
  public static TokenTree chain(int tokens) {
    int[] parents = new int[tokens];
    Arrays.setAll(parents, token -> token - 1);
    return of(parents);
  }

  /** Number of tokens. */
  public int tokens() {
    return parents.length;
  }

  /** The token before this one, or -1. */
  public int parent(int token) {
    return parents[token];
  }

  /** How many tokens of the tree stand before this one on its path. */
  public int depth(int token) {
    return depths[token];
  }

  /** The tokens from one without a parent to this one, itself included; ascending. */
  public int[] path(int token) {
    Objects.checkIndex(token, parents.length);
    int[] path = new int[depths[token] + 1];
    int at = token;
    for (int i = path.length - 1; i >= 0; i--) {
      path[i] = at;
      at = parents[at];
    }
    return path;
  }

  /** Whether a token of the tree sees another: itself or one that it follows. */
  public boolean sees(int token, int other) {
    int at = token;
    while (at > other) {
      at = parents[at];
    }
    return at == other;
  }

  int ordered(int index) {
    return order[index];
  }

  int pathOfOrdered(int index) {
    return pathOf[index];
  }

  /** The tokens of a path; not to be written. */
  int[] pathTokens(int path) {
    return paths[path];
  }

  int straightTokens(int path) {
    return straight[path];
  }

  @Override
  public String toString() {
    return "tree of %d tokens, parents %s".formatted(parents.length, Arrays.toString(parents));
  }
}
