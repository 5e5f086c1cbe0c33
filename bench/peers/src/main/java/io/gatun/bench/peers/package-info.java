/** Decode steps of ONNX Runtime, libtorch and Jlama, as peers of {@code bench peers}. */
package io.gatun.bench.peers;
