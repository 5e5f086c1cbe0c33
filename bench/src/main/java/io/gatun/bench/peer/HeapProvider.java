package io.gatun.bench.peer;

import java.util.List;

/** The plain heap loops; each form is a provider of its own. */
public abstract class HeapProvider implements PeerProvider {
  private final String name;
  private final String about;
  private final HeapPeer.Form form;

  private HeapProvider(String name, String about, HeapPeer.Form form) {
    this.name = name;
    this.about = about;
    this.form = form;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public String about() {
    return "float[] on the heap, " + about;
  }

  @Override
  public Peer load(PeerWork work) {
    return new HeapPeer(work, form);
  }

  @Override
  public long heapBytes(PeerWork.Size size) {
    return size.totalBytes() + 4L * size.heads().numHeads() * size.context();
  }

  @Override
  public List<String> jvmFlags() {
    // Gatun's own memory lies in large pages; the heap gets the same.
    return List.of("-XX:+UseTransparentHugePages");
  }

  /** Scalar, the rows of a head together. */
  public static final class ScalarByHead extends HeapProvider {
    /** For the service loader. */
    public ScalarByHead() {
      super(
          "heap-scalar-by-head",
          "[kvHead][token][dim], scalar, one query head a pass",
          new HeapPeer.Form(false, true, false));
    }
  }

  /** Scalar, the rows of a token together. */
  public static final class ScalarByToken extends HeapProvider {
    /** For the service loader. */
    public ScalarByToken() {
      super(
          "heap-scalar-by-token",
          "[token][kvHead][dim], scalar, one query head a pass",
          new HeapPeer.Form(false, false, false));
    }
  }

  /** Vector API, the rows of a head together. */
  public static final class VectorByHead extends HeapProvider {
    /** For the service loader. */
    public VectorByHead() {
      super(
          "heap-vector-by-head",
          "[kvHead][token][dim], Vector API, four query heads a pass",
          new HeapPeer.Form(true, true, true));
    }
  }

  /** Vector API, the rows of a token together. */
  public static final class VectorByToken extends HeapProvider {
    /** For the service loader. */
    public VectorByToken() {
      super(
          "heap-vector-by-token",
          "[token][kvHead][dim], Vector API, four query heads a pass",
          new HeapPeer.Form(true, false, true));
    }
  }

  /** Vector API, the rows of a token together, a pass for each query head. */
  public static final class LikeLlama3Java extends HeapProvider {
    /** For the service loader. */
    public LikeLlama3Java() {
      super(
          "heap-like-llama3.java",
          "[token][kvHead][dim], Vector API, one query head a pass, as Llama3.java walks it",
          new HeapPeer.Form(true, false, false));
    }
  }
}
