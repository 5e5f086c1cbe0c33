package io.gatun.tools.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.tools.config.ModelConfig;
import io.gatun.tools.config.ModelConfigReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Configurations as published, from documentation: they are read, and have the models' parameters.
 */
class PublishedShapesTest {
  @TempDir Path folder;

  /** Fields as {@code name=value}, separated by blanks; LIST stands for 48 ones. */
  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "gemma-2-2b | 2614341888 | 8192 | 106496 | model_type=~gemma2~ hidden_size=2304"
            + " intermediate_size=9216 num_hidden_layers=26 num_attention_heads=8"
            + " num_key_value_heads=4 head_dim=256 vocab_size=256000 sliding_window=4096"
            + " query_pre_attn_scalar=256 attn_logit_softcapping=50.0 final_logit_softcapping=30.0"
            + " hidden_act=~gelu_pytorch_tanh~ hidden_activation=~gelu_pytorch_tanh~"
            + " max_position_embeddings=8192 rope_theta=10000.0 attention_bias=false"
            + " cache_implementation=~hybrid~ initializer_range=0.02 use_cache=true",
        "gemma-3-1b | 999885952 | 32768 | 26624 | model_type=~gemma3_text~ hidden_size=1152"
            + " intermediate_size=6912 num_hidden_layers=26 num_attention_heads=4"
            + " num_key_value_heads=1 head_dim=256 vocab_size=262144 sliding_window=512"
            + " sliding_window_pattern=6 query_pre_attn_scalar=256 attn_logit_softcapping=null"
            + " final_logit_softcapping=null hidden_activation=~gelu_pytorch_tanh~"
            + " max_position_embeddings=32768 rope_theta=1000000 rope_local_base_freq=10000"
            + " rope_scaling=null attention_bias=false attention_dropout=0.0",
        "Phi-3.5-mini | 3821079552 | 4096 | 393216 | model_type=~phi3~ hidden_size=3072"
            + " intermediate_size=8192 num_hidden_layers=32 num_attention_heads=32"
            + " num_key_value_heads=32 vocab_size=32064 max_position_embeddings=131072"
            + " original_max_position_embeddings=4096 rope_theta=10000.0 sliding_window=262144"
            + " attention_bias=false embd_pdrop=0.0 resid_pdrop=0.0 hidden_act=~silu~"
            + " rope_scaling={~type~:~longrope~,~short_factor~:LIST,~long_factor~:LIST}"
            + " tie_word_embeddings=false",
        "SmolLM3-3B | 3075098624 | 65536 | 73728 | model_type=~smollm3~ hidden_size=2048"
            + " intermediate_size=11008 num_hidden_layers=36 num_attention_heads=16"
            + " num_key_value_heads=4 vocab_size=128256 max_position_embeddings=65536"
            + " rope_theta=5000000.0 no_rope_layer_interval=4 use_sliding_window=false"
            + " sliding_window=null max_window_layers=28 mlp_bias=false attention_bias=false"
            + " pretraining_tp=2 rope_scaling=null",
        "OLMo-2-7B | 7298617344 | 4096 | 524288 | model_type=~olmo2~ hidden_size=4096"
            + " intermediate_size=11008 num_hidden_layers=32 num_attention_heads=32"
            + " num_key_value_heads=32 vocab_size=100352 max_position_embeddings=4096"
            + " rope_theta=500000 rms_norm_eps=1e-06 attention_bias=false rope_scaling=null"
            + " tie_word_embeddings=false",
        "granite-3.1-2b | 2533531648 | 131072 | 81920 | model_type=~granite~ hidden_size=2048"
            + " intermediate_size=8192 num_hidden_layers=40 num_attention_heads=32"
            + " num_key_value_heads=8 vocab_size=49155 max_position_embeddings=131072"
            + " rope_theta=5000000.0 attention_multiplier=0.015625 embedding_multiplier=12.0"
            + " residual_multiplier=0.22 logits_scaling=8.0 attention_bias=false mlp_bias=false"
            + " tie_word_embeddings=true rope_scaling=null",
        "Qwen3-30B-A3B | 30532122624 | 40960 | 98304 | model_type=~qwen3_moe~ hidden_size=2048"
            + " intermediate_size=6144 moe_intermediate_size=768 num_hidden_layers=48"
            + " num_attention_heads=32 num_key_value_heads=4 head_dim=128 vocab_size=151936"
            + " num_experts=128 num_experts_per_tok=8 norm_topk_prob=true decoder_sparse_step=1"
            + " mlp_only_layers=[] max_position_embeddings=40960 rope_theta=1000000.0"
            + " rope_scaling=null sliding_window=null use_sliding_window=false"
            + " max_window_layers=48 output_router_logits=false router_aux_loss_coef=0.001"
            + " attention_bias=false tie_word_embeddings=false",
        "gpt-oss-20b | 20914757184 | 131072 | 49152 | model_type=~gpt_oss~ hidden_size=2880"
            + " intermediate_size=2880 num_hidden_layers=24 num_attention_heads=64"
            + " num_key_value_heads=8 head_dim=64 vocab_size=201088 num_local_experts=32"
            + " num_experts_per_tok=4 experts_per_token=4 sliding_window=128 attention_bias=true"
            + " swiglu_limit=7.0 initial_context_length=4096 max_position_embeddings=131072"
            + " rope_theta=150000 router_aux_loss_coef=0.9 output_router_logits=false"
            + " rope_scaling={~beta_fast~:32.0,~beta_slow~:1.0,~factor~:32.0,"
            + "~original_max_position_embeddings~:4096,~rope_type~:~yarn~,~truncate~:false}",
        "DeepSeek-V2-Lite | 15706484224 | 163840 | 31104 | model_type=~deepseek_v2~"
            + " hidden_size=2048 intermediate_size=10944 moe_intermediate_size=1408"
            + " num_hidden_layers=27 num_attention_heads=16 num_key_value_heads=16"
            + " vocab_size=102400 q_lora_rank=null kv_lora_rank=512 qk_nope_head_dim=128"
            + " qk_rope_head_dim=64 v_head_dim=128 n_routed_experts=64 n_shared_experts=2"
            + " num_experts_per_tok=6 first_k_dense_replace=1 moe_layer_freq=1 n_group=1"
            + " topk_group=1 topk_method=~greedy~ scoring_func=~softmax~ norm_topk_prob=false"
            + " routed_scaling_factor=1.0 aux_loss_alpha=0.001 seq_aux=true ep_size=1"
            + " pretraining_tp=1 attention_bias=false max_position_embeddings=163840"
            + " rope_theta=10000 rope_scaling={~beta_fast~:32,~beta_slow~:1,~factor~:40,"
            + "~mscale~:0.707,~mscale_all_dim~:0.707,~original_max_position_embeddings~:4096,"
            + "~type~:~yarn~} tie_word_embeddings=false",
        "DeepSeek-V3 | 671026419200 | 163840 | 70272 | model_type=~deepseek_v3~ hidden_size=7168"
            + " intermediate_size=18432 moe_intermediate_size=2048 num_hidden_layers=61"
            + " num_attention_heads=128 num_key_value_heads=128 vocab_size=129280"
            + " q_lora_rank=1536 kv_lora_rank=512 qk_nope_head_dim=128 qk_rope_head_dim=64"
            + " v_head_dim=128 n_routed_experts=256 n_shared_experts=1 num_experts_per_tok=8"
            + " first_k_dense_replace=3 moe_layer_freq=1 n_group=8 topk_group=4"
            + " topk_method=~noaux_tc~ scoring_func=~sigmoid~ norm_topk_prob=true"
            + " routed_scaling_factor=2.5 num_nextn_predict_layers=1 ep_size=1"
            + " attention_bias=false max_position_embeddings=163840 rope_theta=10000"
            + " rope_scaling={~beta_fast~:32,~beta_slow~:1,~factor~:40,~mscale~:1.0,"
            + "~mscale_all_dim~:1.0,~original_max_position_embeddings~:4096,~type~:~yarn~}"
            + " tie_word_embeddings=false",
      })
  void areReadWithTheirParameters(
      String name, long parameters, long trained, long bytesPerToken, String fields)
      throws IOException {
    String ones = Collections.nCopies(48, 1.0).toString();
    StringBuilder json = new StringBuilder("{\"bos_token_id\":1,\"eos_token_id\":2");
    for (String field : fields.strip().split(" +")) {
      int at = field.indexOf('=');
      json.append(",\"").append(field, 0, at).append("\":");
      json.append(field.substring(at + 1).replace('~', '"').replace("LIST", ones));
    }
    Files.writeString(folder.resolve("config.json"), json + "}");
    ModelConfig config = ModelConfigReader.read(folder);
    assertThat(config.parameters()).isEqualTo(parameters);
    assertThat(config.positions().tokens()).isEqualTo(trained);
    var shape = config.kvShape();
    long values = shape.keyDim() + (shape.valuesInKeys() ? 0L : shape.valueDim());
    assertThat(2 * shape.layers() * shape.kvHeads() * values).isEqualTo(bytesPerToken);
  }
}
