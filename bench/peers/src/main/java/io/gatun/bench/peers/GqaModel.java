package io.gatun.bench.peers;

import io.gatun.bench.peer.PeerWork;
import io.gatun.bench.work.Heads;

/**
 * The smallest ONNX model that holds one GroupQueryAttention node (operator of the domain {@code
 * com.microsoft}, ContribOperators.md of ONNX Runtime), as protobuf bytes; message and field numbers
 * from onnx.proto3:
 *
 * <pre>
 *   ModelProto      1 ir_version   7 graph   8 opset_import
 *   GraphProto      1 node   2 name   11 input   12 output
 *   NodeProto       1 input   2 output   3 name   4 op_type   5 attribute   7 domain
 *   AttributeProto  1 name   2 f   3 i   4 s   20 type (1 float, 2 int, 3 string)
 *   ValueInfoProto  1 name   2 type -> TypeProto 1 tensor_type -> Tensor 1 elem_type, 2 shape
 *   TensorShapeProto 1 dim -> Dimension 1 dim_value
 * </pre>
 */
final class GqaModel {
  static final String QUERY = "query";
  static final String KEY = "key";
  static final String VALUE = "value";
  static final String PAST_KEY = "past_key";
  static final String PAST_VALUE = "past_value";
  static final String LENGTHS = "seqlens_k";
  static final String TOTAL = "total_sequence_length";
  static final String KEY_SCALE = "k_scale";
  static final String VALUE_SCALE = "v_scale";
  static final String OUTPUT = "output";
  static final String PRESENT_KEY = "present_key";
  static final String PRESENT_VALUE = "present_value";

  /** TensorProto.DataType. */
  private static final int FLOAT = 1;

  private static final int INT8 = 3;
  private static final int INT32 = 6;

  private static final int ATTRIBUTE_FLOAT = 1;
  private static final int ATTRIBUTE_INT = 2;
  private static final int ATTRIBUTE_STRING = 3;

  /** Inputs between total_sequence_length (6) and k_scale (12), left out. */
  private static final int OMITTED = 5;

  private GqaModel() {}

  /**
   * The model.
   *
   * @param int8 whether the cache holds int8 with one scale per tensor instead of floats
   */
  static byte[] bytes(PeerWork.Size size, boolean int8) {
    Heads heads = size.heads();
    long[] query = {1, 1, size.queryFloats()};
    long[] token = {1, 1, size.tokenFloats()};
    long[] cache = {1, heads.numKvHeads(), size.context(), heads.headDim()};
    int stored = int8 ? INT8 : FLOAT;
    ProtoWriter node = new ProtoWriter();
    for (String input : new String[] {QUERY, KEY, VALUE, PAST_KEY, PAST_VALUE, LENGTHS, TOTAL}) {
      node.text(1, input);
    }
    if (int8) {
      for (int i = 0; i < OMITTED; i++) {
        node.text(1, "");
      }
      node.text(1, KEY_SCALE).text(1, VALUE_SCALE);
    }
    node.text(2, OUTPUT).text(2, PRESENT_KEY).text(2, PRESENT_VALUE);
    node.text(3, "gqa").text(4, "GroupQueryAttention");
    node.message(5, integer("num_heads", heads.numHeads()));
    node.message(5, integer("kv_num_heads", heads.numKvHeads()));
    node.message(5, real("scale", (float) (1 / Math.sqrt(heads.headDim()))));
    if (int8) {
      node.message(5, string("k_quant_type", "PER_TENSOR"));
      node.message(5, string("v_quant_type", "PER_TENSOR"));
      node.message(5, integer("kv_cache_bit_width", 8));
    }
    node.text(7, "com.microsoft");

    ProtoWriter graph = new ProtoWriter().message(1, node).text(2, "decode");
    graph.message(11, tensor(QUERY, FLOAT, query));
    graph.message(11, tensor(KEY, FLOAT, token));
    graph.message(11, tensor(VALUE, FLOAT, token));
    graph.message(11, tensor(PAST_KEY, stored, cache));
    graph.message(11, tensor(PAST_VALUE, stored, cache));
    graph.message(11, tensor(LENGTHS, INT32, 1));
    graph.message(11, tensor(TOTAL, INT32, 1));
    if (int8) {
      graph.message(11, tensor(KEY_SCALE, FLOAT, 1));
      graph.message(11, tensor(VALUE_SCALE, FLOAT, 1));
    }
    graph.message(12, tensor(OUTPUT, FLOAT, query));
    graph.message(12, tensor(PRESENT_KEY, stored, cache));
    graph.message(12, tensor(PRESENT_VALUE, stored, cache));

    return new ProtoWriter()
        .number(1, 8)
        .message(7, graph)
        .message(8, new ProtoWriter().text(1, "").number(2, 17))
        .message(8, new ProtoWriter().text(1, "com.microsoft").number(2, 1))
        .toBytes();
  }

  private static ProtoWriter integer(String name, long value) {
    return new ProtoWriter().text(1, name).number(3, value).number(20, ATTRIBUTE_INT);
  }

  private static ProtoWriter real(String name, float value) {
    return new ProtoWriter().text(1, name).number(2, value).number(20, ATTRIBUTE_FLOAT);
  }

  private static ProtoWriter string(String name, String value) {
    return new ProtoWriter().text(1, name).text(4, value).number(20, ATTRIBUTE_STRING);
  }

  private static ProtoWriter tensor(String name, int type, long... shape) {
    ProtoWriter dims = new ProtoWriter();
    for (long dim : shape) {
      dims.message(1, new ProtoWriter().number(1, dim));
    }
    ProtoWriter tensor = new ProtoWriter().number(1, type).message(2, dims);
    return new ProtoWriter().text(1, name).message(2, new ProtoWriter().message(1, tensor));
  }
}
