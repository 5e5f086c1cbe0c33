package io.gatun.tools.config;

import io.gatun.attention.RopeConfig;

/**
 * What differs from layer to layer.
 *
 * @param window how many tokens a token attends to, itself included; 0 for all
 * @param rope angles of the rotary position embedding; null where nothing is turned
 * @param feedForward what follows the attention
 */
public record LayerForm(int window, RopeConfig rope, FeedForward feedForward) {}
