package io.gatun.tools.config;

/** Tells what a layer of one kind keeps. */
@FunctionalInterface
interface Mixer {
  /** What layer {@code layer}, counted from 0, keeps. */
  LayerCache of(ModelKeys keys, int layer);
}
