package io.gatun.bench.jmh;

/**
 * The flags of {@code .mvn/gatun.jvmargs}, which JMH does not hand on to the JVMs that it forks when
 * it is started without them. A test compares the two.
 */
final class JvmFlags {
  static final String VECTOR = "--add-modules=jdk.incubator.vector";
  static final String NATIVE = "--enable-native-access=ALL-UNNAMED";
  static final String UNSAFE = "--sun-misc-unsafe-memory-access=allow";
  static final String REFLECT = "--add-opens=java.base/java.lang.reflect=ALL-UNNAMED";
  static final String CHANNELS = "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED";
  static final String REFS = "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED";
  static final String MISC = "--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED";

  private JvmFlags() {}
}
