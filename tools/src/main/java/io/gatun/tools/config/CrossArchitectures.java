package io.gatun.tools.config;

import static io.gatun.tools.config.Architecture.of;

import java.util.List;

/** Decoders that also keep K/V of an encoder or of an image. */
final class CrossArchitectures {
  private static final String FULL = "full_attention";
  private static final Mixer SELF_AND_ENCODER =
      Mixers.both(Mixers.heads(), Mixers.cross("encoder"));
  private static final String NOTE =
      "Note: an encoder-decoder. The cache is that of the decoder's own tokens; K/V of the"
          + " encoder's output is stated\n"
          + "apart, and the encoder itself keeps none.";

  static final List<Architecture> ALL =
      List.of(
          encoderDecoder("T5 (encoder-decoder)", "t5 mt5 umt5 byt5 longt5 switch_transformers")
              .reads("num_hidden_layers", "num_decoder_layers", "num_layers")
              .reads("num_attention_heads", "num_heads")
              .reads("head_dim", "d_kv")
              .aside(
                  "num_layers",
                  "num_sparse_*",
                  "encoder_*",
                  "decoder_sparse_step",
                  "local_radius",
                  "global_block_size",
                  "feed_forward_proj"),
          encoderDecoder(
                  "BART (encoder-decoder)",
                  "bart mbart pegasus marian m2m_100 nllb-moe blenderbot blenderbot-small plbart"
                      + " mvp fsmt trocr bigbird_pegasus speech_to_text led"
                      + " pegasus_x")
              .reads("num_hidden_layers", "decoder_layers")
              .reads("num_attention_heads", "decoder_attention_heads")
              .aside(
                  "num_hidden_layers",
                  "encoder_*",
                  "decoder_*",
                  "attention_type",
                  "block_size",
                  "num_random_blocks",
                  "share_encoder_*",
                  "normalize_*",
                  "conv_*",
                  "num_conv_layers",
                  "input_*",
                  "cross_attention_hidden_size",
                  "prompt_*",
                  "use_prompt",
                  "attention_window",
                  "num_global_tokens",
                  "stagger_local_blocks"),
          encoderDecoder("Whisper (encoder-decoder)", "whisper")
              .reads("num_hidden_layers", "decoder_layers")
              .reads("num_attention_heads", "decoder_attention_heads")
              .layer(FULL, CrossArchitectures::whisper)
              .aside(
                  "num_hidden_layers",
                  "encoder_*",
                  "decoder_*",
                  "median_filter_width",
                  "mask_*",
                  "use_weighted_layer_sum",
                  "max_source_positions"),
          of("Llama 3.2 Vision", "mllama mllama_text_model")
              .takes("num_key_value_heads", 8)
              .layer("cross", Mixers.cross("image"))
              .pattern(LayerPattern.listed("cross_attention_layers", "cross", FULL))
              .note(
                  "Note: the layers of cross-attention keep K/V of the image only, stated apart."),
          of("IDEFICS", "idefics")
              .layer("crossed", Mixers.both(Mixers.heads(), Mixers.cross("image")))
              .pattern(LayerPattern.firstOf("cross_layer_interval", "crossed", FULL))
              .aside("additional_vocab_size", "qk_layer_norms", "freeze_*", "perceiver_config"));

  private CrossArchitectures() {}

  private static Architecture encoderDecoder(String title, String types) {
    return of(title, types).layer(FULL, SELF_AND_ENCODER).note(NOTE);
  }

  /** Whisper's encoder always gives as many rows: the sound is padded to half a minute. */
  private static LayerCache whisper(ModelKeys keys, int layer) {
    keys.count("max_source_positions");
    return SELF_AND_ENCODER.of(keys, layer);
  }
}
