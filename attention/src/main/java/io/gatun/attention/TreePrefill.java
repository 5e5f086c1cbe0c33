package io.gatun.attention;

import io.gatun.cache.KvView;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Attention of the tokens of a {@link TokenTree}, the last ones of the layer.
 *
 * <p>Keys and values of the sequence before the tree are used for many tokens at a time, as in
 * prefill. From the tile on in which the tree begins, rows are worked on path by path, against the
 * tokens of their path in the places that these would have without the other paths. So the
 * arithmetic, and with it every bit of the result, is that of the path alone.
 *
 * <p>Thread rules: one call at a time. Allocates only for a tree of more tasks than ever.
 */
final class TreePrefill {
  private final HeadGroups groups;
  private final Team.Task task = this::task;

  /** Where in the tree's order the tokens of a task begin; the last one's end is behind it. */
  private int[] firsts = new int[17];

  // The call under way.
  private long call;
  private KvView view;
  private int layer;
  private TokenTree tree;
  private long start;
  private int chunks;
  private MemorySegment q;
  private MemorySegment out;

  TreePrefill(HeadGroups groups) {
    this.groups = groups;
  }

  /** Does it: q f32 {@code [tokens][numHeads][keyDim]}, out {@code [tokens][numHeads][valueDim]}. */
  void run(
      Team team,
      long newCall,
      KvView newView,
      int newLayer,
      TokenTree newTree,
      MemorySegment newQ,
      MemorySegment newOut) {
    call = newCall;
    view = newView;
    layer = newLayer;
    tree = newTree;
    start = newView.length(newLayer) - newTree.tokens();
    q = newQ;
    out = newOut;
    try {
      cut();
      team.run(Math.multiplyExact(chunks, groups.kvHeads()), task);
    } finally {
      view = null;
      tree = null;
      q = null;
      out = null;
    }
  }

  /** Cuts the tokens into as many as a worker's scratch has room for, paths filled up. */
  private void cut() {
    int most = groups.workers()[0].capacity();
    int rows = 0;
    chunks = 0;
    firsts[0] = 0;
    for (int i = 0; i < tree.tokens(); i++) {
      if (i > 0 && tree.pathOfOrdered(i) != tree.pathOfOrdered(i - 1)) {
        rows = RowBlock.padded(rows);
      }
      if (rows + groups.group() > most) {
        if (chunks + 2 > firsts.length - 1) {
          firsts = Arrays.copyOf(firsts, 2 * firsts.length);
        }
        firsts[++chunks] = i;
        rows = 0;
      }
      rows += groups.group();
    }
    firsts[++chunks] = tree.tokens();
  }

  private void task(int number, int worker) {
    RowBlock rows = groups.workers()[worker];
    int head = number / chunks;
    int from = firsts[number % chunks];
    int to = firsts[number % chunks + 1];
    rows.begin(call, -1);
    rows.beginTree(tree, start);
    for (int i = from; i < to; i++) {
      if (i > from && tree.pathOfOrdered(i) != tree.pathOfOrdered(i - 1)) {
        rows.endPath(tree.pathOfOrdered(i - 1));
      }
      int token = tree.ordered(i);
      groups.add(rows, q, token, head, start + tree.depth(token));
    }
    rows.endPath(tree.pathOfOrdered(to - 1));
    rows.ready();
    rows.splits(view, layer, head);
    int at = 0;
    for (int i = from; i < to; i++) {
      if (i > from && tree.pathOfOrdered(i) != tree.pathOfOrdered(i - 1)) {
        at = RowBlock.padded(at);
      }
      int token = tree.ordered(i);
      long position = start + tree.depth(token);
      groups.finish(rows, at, view, layer, tree, q, out, token, head, position);
      at += groups.group();
    }
  }
}
