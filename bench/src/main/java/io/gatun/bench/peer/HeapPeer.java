package io.gatun.bench.peer;

import io.gatun.bench.work.Heads;
import io.gatun.tools.yardstick.Workers;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * What one would write first in Java: K and V as one {@code float[]} each per layer, plain loops
 * over them. In the forms that Java projects have: the rows of a head together or those of a token,
 * scalar loops or the Vector API, one query head at a time (as Llama3.java) or four at once.
 */
final class HeapPeer implements Peer {
  /**
   * Which loops.
   *
   * @param vectors Vector API instead of scalar loops
   * @param byHead {@code [kvHead][token][dim]} instead of {@code [token][kvHead][dim]}
   * @param grouped up to four query heads of a KV head in one pass over the rows
   */
  record Form(boolean vectors, boolean byHead, boolean grouped) {}

  private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;

  /** Query heads of a grouped pass. */
  private static final int PASS = 4;

  private final PeerWork.Size size;
  private final Form form;
  private final float[][] keys; // [layer][kvHeads x context x headDim in the form's order]
  private final float[][] values; // [layer][as the keys]
  private final float[] query; // [numHeads][headDim]
  private final float[] scores; // [numHeads][context]
  private final float[] out; // [numHeads][headDim]
  private final Workers workers;
  private final int rowStride;
  private final int headStride;

  HeapPeer(PeerWork work, Form form) {
    this.size = work.size();
    this.form = form;
    this.query = work.query().clone();
    this.keys = new float[size.layers()][];
    this.values = new float[size.layers()][];
    for (int layer = 0; layer < size.layers(); layer++) {
      keys[layer] = new float[size.layerFloats()];
      values[layer] = new float[size.layerFloats()];
      MemorySegment k = MemorySegment.ofArray(keys[layer]);
      MemorySegment v = MemorySegment.ofArray(values[layer]);
      if (form.byHead()) {
        work.keysByHead(layer, k);
        work.valuesByHead(layer, v);
      } else {
        work.keysByToken(layer, 0, size.context(), k);
        work.valuesByToken(layer, 0, size.context(), v);
      }
    }
    Heads heads = size.heads();
    this.scores = new float[Math.multiplyExact(heads.numHeads(), size.context())];
    this.out = new float[size.queryFloats()];
    this.rowStride = form.byHead() ? heads.headDim() : size.tokenFloats();
    this.headStride = form.byHead() ? size.context() * heads.headDim() : heads.headDim();
    this.workers = new Workers(size.threads());
  }

  @Override
  public void decode(int layer) {
    Heads heads = size.heads();
    workers.run(worker -> {
      for (int kvHead = worker; kvHead < heads.numKvHeads(); kvHead += size.threads()) {
        decodeGroup(keys[layer], values[layer], kvHead);
      }
    });
  }

  /** All query heads of a KV head. MQA has one KV head, so one thread does all of it. */
  private void decodeGroup(float[] k, float[] v, int kvHead) {
    int group = size.heads().group();
    int from = kvHead * headStride;
    int head = kvHead * group;
    int end = head + group;
    if (form.grouped()) {
      for (; head + PASS <= end; head += PASS) {
        fourScores(k, from, head);
        for (int i = 0; i < PASS; i++) {
          softmax(head + i);
        }
        fourSums(v, from, head);
      }
    }
    for (; head < end; head++) {
      if (form.vectors()) {
        vectorScores(k, from, head);
        softmax(head);
        vectorSum(v, from, head);
      } else {
        scalarScores(k, from, head);
        softmax(head);
        scalarSum(v, from, head);
      }
    }
  }

  private float scale() {
    return (float) (1 / Math.sqrt(size.heads().headDim()));
  }

  private void scalarScores(float[] k, int from, int head) {
    int dim = size.heads().headDim();
    int q = head * dim;
    for (int token = 0; token < size.context(); token++) {
      int row = from + token * rowStride;
      float dot = 0;
      for (int i = 0; i < dim; i++) {
        dot += query[q + i] * k[row + i];
      }
      scores[head * size.context() + token] = dot * scale();
    }
  }

  private void scalarSum(float[] v, int from, int head) {
    int dim = size.heads().headDim();
    int o = head * dim;
    Arrays.fill(out, o, o + dim, 0);
    for (int token = 0; token < size.context(); token++) {
      int row = from + token * rowStride;
      float weight = scores[head * size.context() + token];
      for (int i = 0; i < dim; i++) {
        out[o + i] += weight * v[row + i];
      }
    }
  }

  private void softmax(int head) {
    int from = head * size.context();
    int to = from + size.context();
    float most = Float.NEGATIVE_INFINITY;
    for (int i = from; i < to; i++) {
      most = Math.max(most, scores[i]);
    }
    float sum = 0;
    for (int i = from; i < to; i++) {
      scores[i] = (float) Math.exp(scores[i] - most);
      sum += scores[i];
    }
    for (int i = from; i < to; i++) {
      scores[i] /= sum;
    }
  }

  private void vectorScores(float[] k, int from, int head) {
    int dim = size.heads().headDim();
    int q = head * dim;
    int bound = FLOATS.loopBound(dim);
    for (int token = 0; token < size.context(); token++) {
      int row = from + token * rowStride;
      FloatVector sum = FloatVector.zero(FLOATS);
      int i = 0;
      for (; i < bound; i += FLOATS.length()) {
        sum =
            FloatVector.fromArray(FLOATS, query, q + i)
                .fma(FloatVector.fromArray(FLOATS, k, row + i), sum);
      }
      float dot = sum.reduceLanes(VectorOperators.ADD);
      for (; i < dim; i++) {
        dot += query[q + i] * k[row + i];
      }
      scores[head * size.context() + token] = dot * scale();
    }
  }

  private void vectorSum(float[] v, int from, int head) {
    int dim = size.heads().headDim();
    int o = head * dim;
    int bound = FLOATS.loopBound(dim);
    Arrays.fill(out, o, o + dim, 0);
    for (int token = 0; token < size.context(); token++) {
      int row = from + token * rowStride;
      float weight = scores[head * size.context() + token];
      int i = 0;
      for (; i < bound; i += FLOATS.length()) {
        FloatVector.fromArray(FLOATS, v, row + i)
            .fma(FloatVector.broadcast(FLOATS, weight), FloatVector.fromArray(FLOATS, out, o + i))
            .intoArray(out, o + i);
      }
      for (; i < dim; i++) {
        out[o + i] += weight * v[row + i];
      }
    }
  }

  private void fourScores(float[] k, int from, int head) {
    int dim = size.heads().headDim();
    int context = size.context();
    int q = head * dim;
    int s = head * context;
    int bound = FLOATS.loopBound(dim);
    float scale = scale();
    for (int token = 0; token < context; token++) {
      int row = from + token * rowStride;
      FloatVector a = FloatVector.zero(FLOATS);
      FloatVector b = a;
      FloatVector c = a;
      FloatVector d = a;
      int i = 0;
      for (; i < bound; i += FLOATS.length()) {
        FloatVector key = FloatVector.fromArray(FLOATS, k, row + i);
        a = FloatVector.fromArray(FLOATS, query, q + i).fma(key, a);
        b = FloatVector.fromArray(FLOATS, query, q + dim + i).fma(key, b);
        c = FloatVector.fromArray(FLOATS, query, q + 2 * dim + i).fma(key, c);
        d = FloatVector.fromArray(FLOATS, query, q + 3 * dim + i).fma(key, d);
      }
      float sa = a.reduceLanes(VectorOperators.ADD);
      float sb = b.reduceLanes(VectorOperators.ADD);
      float sc = c.reduceLanes(VectorOperators.ADD);
      float sd = d.reduceLanes(VectorOperators.ADD);
      for (; i < dim; i++) {
        sa += query[q + i] * k[row + i];
        sb += query[q + dim + i] * k[row + i];
        sc += query[q + 2 * dim + i] * k[row + i];
        sd += query[q + 3 * dim + i] * k[row + i];
      }
      scores[s + token] = sa * scale;
      scores[s + context + token] = sb * scale;
      scores[s + 2 * context + token] = sc * scale;
      scores[s + 3 * context + token] = sd * scale;
    }
  }

  private void fourSums(float[] v, int from, int head) {
    int dim = size.heads().headDim();
    int context = size.context();
    int s = head * context;
    int o = head * dim;
    int bound = FLOATS.loopBound(dim);
    Arrays.fill(out, o, o + PASS * dim, 0);
    for (int token = 0; token < context; token++) {
      int row = from + token * rowStride;
      FloatVector a = FloatVector.broadcast(FLOATS, scores[s + token]);
      FloatVector b = FloatVector.broadcast(FLOATS, scores[s + context + token]);
      FloatVector c = FloatVector.broadcast(FLOATS, scores[s + 2 * context + token]);
      FloatVector d = FloatVector.broadcast(FLOATS, scores[s + 3 * context + token]);
      int i = 0;
      for (; i < bound; i += FLOATS.length()) {
        FloatVector value = FloatVector.fromArray(FLOATS, v, row + i);
        value.fma(a, FloatVector.fromArray(FLOATS, out, o + i)).intoArray(out, o + i);
        value.fma(b, FloatVector.fromArray(FLOATS, out, o + dim + i)).intoArray(out, o + dim + i);
        value
            .fma(c, FloatVector.fromArray(FLOATS, out, o + 2 * dim + i))
            .intoArray(out, o + 2 * dim + i);
        value
            .fma(d, FloatVector.fromArray(FLOATS, out, o + 3 * dim + i))
            .intoArray(out, o + 3 * dim + i);
      }
      for (; i < dim; i++) {
        for (int h = 0; h < PASS; h++) {
          out[o + h * dim + i] += scores[s + h * context + token] * v[row + i];
        }
      }
    }
  }

  @Override
  public void output(float[] to) {
    System.arraycopy(out, 0, to, 0, out.length);
  }

  @Override
  public void close() {
    workers.close();
  }
}
