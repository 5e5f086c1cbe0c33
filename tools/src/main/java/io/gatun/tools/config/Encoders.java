package io.gatun.tools.config;

import java.util.Locale;
import java.util.Set;

/** The model types that read a whole input at once and keep no K/V cache. */
final class Encoders {
  private static final Set<String> TYPES =
      Set.of(
          ("albert bert big_bird bigbird bros camembert canine convbert data2vec-text deberta"
               + " deberta-v2 distilbert electra ernie ernie_m esm eurobert flaubert fnet funnel"
               + " gte herbert ibert jina_bert jina_bert_v2 layoutlm layoutlmv2 layoutlmv3 lilt"
               + " longformer luke markuplm mega megatron-bert mobilebert modernbert mpnet mra new"
               + " nezha nomic_bert nystromformer qdqbert rembert roberta roberta-prelayernorm"
               + " roc_bert roformer splinter squeezebert xlm xlm-roberta xlm-roberta-xl xmod yoso"
               + " neobert nomic_bert_moe aimv2 audio-spectrogram-transformer beit bit chinese_clip"
               + " clap clip clip_text_model clip_vision_model clipseg convnext convnextv2"
               + " data2vec-audio data2vec-vision deit depth_anything detr dinat dinov2 dinov3_vit"
               + " dpt efficientnet focalnet hiera hubert ijepa levit mobilenet_v1 mobilenet_v2"
               + " mobilevit mobilevitv2 owlv2 owlvit poolformer pvt regnet resnet rt_detr sam"
               + " segformer siglip siglip2 siglip_vision_model swin swin2sr swinv2"
               + " table-transformer tapas timesformer unispeech unispeech-sat videomae vilt vit"
               + " vit_mae vit_msn vits vivit wav2vec2 wav2vec2-bert wav2vec2-conformer wavlm"
               + " x_clip xclip yolos zoedepth dpr layoutxlm lxmert visual_bert jina_embeddings_v3"
               + " colbert chmv2")
              .split(" "));

  private Encoders() {}

  /** Whether a model_type is an encoder's. */
  static boolean isEncoder(String type) {
    return TYPES.contains(type.toLowerCase(Locale.ROOT));
  }
}
