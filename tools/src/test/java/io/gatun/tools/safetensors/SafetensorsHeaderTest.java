package io.gatun.tools.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.cache.GatunException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Each field of the header, wrong in each way, is refused with a sentence that says what is wrong. */
class SafetensorsHeaderTest {
  private static final String A = "'a':{'dtype':'F32','shape':[2,3],'data_offsets':[0,24]}";

  @TempDir Path folder;

  private Path file(String json, int dataBytes) throws IOException {
    byte[] header = json.replace('\'', '"').getBytes(StandardCharsets.UTF_8);
    return file(header.length, header, dataBytes);
  }

  private Path file(long length, byte[] header, int dataBytes) throws IOException {
    ByteBuffer bytes =
        ByteBuffer.allocate(8 + header.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(length).put(header);
    return Files.write(folder.resolve("x.safetensors"), bytes.array());
  }

  private void refused(Path file, String why) {
    assertThatThrownBy(() -> SafetensorsFile.open(file))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("x.safetensors")
        .hasMessageContaining(why);
  }

  @Test
  void aValidFileIsRead() throws IOException {
    Path file =
        file(
            "{'__metadata__':{'format':'pt'},'b':{'dtype':'BF16','shape':[],'data_offsets':[24,26],"
                + "'more':[1,{'x':2}]},'e':{'dtype':'I64','shape':[0,7],'data_offsets':[26,26]},"
                + A
                + "}   ",
            26);
    SafetensorsHeader header = SafetensorsHeader.read(file);
    assertThat(header.metadata()).containsEntry("format", "pt");
    assertThat(header.entries().keySet()).containsExactly("a", "b", "e");
    assertThat(header.entries().get("a").spec())
        .isEqualTo(TensorSpec.of("a", TensorType.F32, 2, 3));
    assertThat(header.entries().get("b").spec().elements()).isEqualTo(1);
    try (SafetensorsFile opened = SafetensorsFile.open(file)) {
      assertThat(opened.tensors().get("a").data().byteSize()).isEqualTo(24);
      assertThat(opened.tensors().get("e").data().byteSize()).isZero();
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{'a':{'dtype':'F32','shape':[2,3],'data_offsets':[0,24]            | not valid JSON",
        "['a']                                                              | not a JSON object",
        "{'a':3}                                                            | not an object, but 3",
        "{'__metadata__':{'n':3}}                                           | 'n' is 3",
        "{'__metadata__':{},'__metadata__':{}}                              | stands twice",
        "{'a':{'shape':[6],'data_offsets':[0,24]}}                          | has no dtype",
        "{'a':{'dtype':'F32','data_offsets':[0,24]}}                        | has no shape",
        "{'a':{'dtype':'F32','shape':[6]}}                                  | has no data_offsets",
        "{'a':{'dtype':'F32','dtype':'F32','shape':[6],'data_offsets':[0,24]}} | two dtype",
        "{'a':{'dtype':7,'shape':[6],'data_offsets':[0,24]}}                | dtype 7",
        "{'a':{'dtype':'F32','shape':6,'data_offsets':[0,24]}}              | as shape 6, not a"
            + " list",
        "{'a':{'dtype':'F32','shape':[-6],'data_offsets':[0,24]}}           | -6 in its shape",
        "{'a':{'dtype':'F32','shape':[2.5],'data_offsets':[0,24]}}          | 2.5 in its shape",
        "{'a':{'dtype':'F32','shape':['6'],'data_offsets':[0,24]}}          | '6' in its shape",
        "{'a':{'dtype':'F32','shape':[99999999999999999999],'data_offsets':[0,24]}} | in its shape",
        "{'a':{'dtype':'F32','shape':[4294967296,4294967296],'data_offsets':[0,24]}} | pass 2^63",
        "{'a':{'dtype':'F32','shape':[7],'data_offsets':[0,24]}} | takes 28 bytes, its data_offsets"
            + " [0, 24] span 24",
        "{'a':{'dtype':'F32','shape':[6],'data_offsets':[24,0]}}            | not [begin, end]",
        "{'a':{'dtype':'F32','shape':[6],'data_offsets':[0,12,24]}}         | not [begin, end]",
        "{'a':{'dtype':'F32','shape':[5],'data_offsets':[4,24]}}            | leaves a gap",
        "{'a':{'dtype':'F32','shape':[4],'data_offsets':[0,16]},'b':{'dtype':'F32','shape':[4],'data_offsets':[8,24]}}"
            + " | inside another one that ends at 16",
        "{'a':{'dtype':'F32','shape':[5],'data_offsets':[0,20]}}            | nothing may follow",
        "{'a':{'dtype':'F32','shape':[6],'data_offsets':[0,24]},'a':{'dtype':'F32','shape':[0],'data_offsets':[24,24]}}"
            + " | tensor a stands twice",
        "{'a':{'dtype':'F32','shape':[6],'data_offsets':[0,24]}} {}         | something follows",
      })
  void aWrongHeaderIsRefused(String json, String why) throws IOException {
    refused(file(json, 24), why);
  }

  @Test
  void aFileThatIsCutOffIsRefused() throws IOException {
    Path file = file("{" + A + "}", 23);
    long bytes = Files.size(file);
    refused(
        file,
        "is cut off: it has %,d bytes, and its header describes %,d".formatted(bytes, bytes + 1));
    byte[] header = ("{" + A + "}").getBytes(StandardCharsets.UTF_8);
    refused(file(header.length + 1, header, 0), "is cut off");
    refused(Files.write(folder.resolve("x.safetensors"), new byte[5]), "it has 5 bytes");
  }

  @Test
  void aHeaderLengthThatCannotBeIsRefused() throws IOException {
    byte[] header = ("{" + A + "}").getBytes(StandardCharsets.UTF_8);
    refused(file(-1, header, 24), "18446744073709551615 bytes");
    refused(file(Long.MAX_VALUE, header, 24), "at most 100,000,000");
    refused(file(0, header, 24), "0 bytes");
  }

  @Test
  void bytesThatAreNoUtf8AreRefused() throws IOException {
    byte[] header = ("{" + A + "}").getBytes(StandardCharsets.UTF_8);
    header[2] = (byte) 0xff;
    refused(file(header.length, header, 24), "not valid JSON");
  }
}
