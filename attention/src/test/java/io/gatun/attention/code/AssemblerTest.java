package io.gatun.attention.code;

import static io.gatun.attention.code.Assembler.*;
import static io.gatun.attention.code.Assembler.Condition.*;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HexFormat;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What {@link Assembler} writes, beside what GNU as 2.40 makes of the same text ({@code
 * .intel_syntax noprefix}).
 *
 * <p>In a few lines as has a shorter form: constants that fit 8 bits ({@code add}, {@code and},
 * {@code sub}, {@code cmp}, {@code imul}), and constants for rax. There the bytes are those of the
 * assembler, and objdump says that they mean the text. Jumps are those of as with {@code {disp32}}.
 */
class AssemblerTest {
  @Test
  void generalRegisters() {
    is("push rdi", "57", a -> a.push(RDI));
    is("push r12", "4154", a -> a.push(R12));
    is("pop rax", "58", a -> a.pop(RAX));
    is("pop r15", "415f", a -> a.pop(R15));
    is("mov rax,rdi", "4889f8", a -> a.mov(RAX, RDI));
    is("mov rdi,r8", "4c89c7", a -> a.mov(RDI, R8));
    is("mov r12,rax", "4989c4", a -> a.mov(R12, RAX));
    is("mov r13,r15", "4d89fd", a -> a.mov(R13, R15));
    is("mov eax,0", "b800000000", a -> a.movImmediate(RAX, 0));
    is("mov r8d,305419896", "41b878563412", a -> a.movImmediate(R8, 305419896));
    is("movabs rax,0x80000000", "48b80000008000000000", a -> a.movImmediate(RAX, 0x80000000L));
    is("movabs rdi,-1", "48bfffffffffffffffff", a -> a.movImmediate(RDI, -1));
    is("movabs r12,0x123456789", "49bc8967452301000000", a -> a.movImmediate(R12, 0x123456789L));
    is("add rdi,r8", "4c01c7", a -> a.add(RDI, R8));
    is("add r12,rax", "4901c4", a -> a.add(R12, RAX));
    is("add r13,r15", "4d01fd", a -> a.add(R13, R15));
    is("sub rdi,r12", "4c29e7", a -> a.sub(RDI, R12));
    is("sub r15,rax", "4929c7", a -> a.sub(R15, RAX));
    is("cmp rax,r13", "4c39e8", a -> a.cmp(RAX, R13));
    is("cmp r8,rdi", "4939f8", a -> a.cmp(R8, RDI));
    is("test rdi,r15", "4c85ff", a -> a.test(RDI, R15));
    is("test r12,rax", "4985c4", a -> a.test(R12, RAX));
    is("cmovb rax,rdi", "480f42c7", a -> a.cmov(BELOW, RAX, RDI));
    is("cmovae rdi,r8", "490f43f8", a -> a.cmov(ABOVE_OR_EQUAL, RDI, R8));
    is("cmove r12,rax", "4c0f44e0", a -> a.cmov(EQUAL, R12, RAX));
    is("cmovbe r13,r15", "4d0f46ef", a -> a.cmov(BELOW_OR_EQUAL, R13, R15));
    is("cmova r8,rdi", "4c0f47c7", a -> a.cmov(ABOVE, R8, RDI));
    is("add rdi,305419896", "4881c778563412", a -> a.addImmediate(RDI, 305419896));
    is("add r8,-1000", "4981c018fcffff", a -> a.addImmediate(R8, -1000));
    is("add rax,1000", "4881c0e8030000", a -> a.addImmediate(RAX, 1000));
    is("add r12,-64", "4981c4c0ffffff", a -> a.addImmediate(R12, -64));
    is("and rdi,-1000", "4881e718fcffff", a -> a.andImmediate(RDI, -1000));
    is("and r8,64", "4981e040000000", a -> a.andImmediate(R8, 64));
    is("sub rdi,-1000", "4881ef18fcffff", a -> a.subImmediate(RDI, -1000));
    is("sub r8,64", "4981e840000000", a -> a.subImmediate(R8, 64));
    is("cmp rdi,-1000", "4881ff18fcffff", a -> a.cmpImmediate(RDI, -1000));
    is("cmp r8,64", "4981f840000000", a -> a.cmpImmediate(R8, 64));
    is("imul rdi,r8,-1000", "4969f818fcffff", a -> a.imul(RDI, R8, -1000));
    is("imul r13,rax,5", "4c69e805000000", a -> a.imul(R13, RAX, 5));
    is("ret", "c3", a -> a.ret());
    is("jmp rax", "ffe0", a -> a.jumpTo(RAX));
    is("jmp r13", "41ffe5", a -> a.jumpTo(R13));
  }

  @Test
  void generalRegistersAndMemory() {
    is("mov rax,[rax]", "488b00", a -> a.load(RAX, at(RAX, 0)));
    is("mov rdi,[rsp]", "488b3c24", a -> a.load(RDI, at(RSP, 0)));
    is("mov r8,[rsp+8]", "4c8b442408", a -> a.load(R8, at(RSP, 8)));
    is("mov r12,[r12]", "4d8b2424", a -> a.load(R12, at(R12, 0)));
    is("mov r13,[r12+1000]", "4d8bac24e8030000", a -> a.load(R13, at(R12, 1000)));
    is("mov r15,[rbp]", "4c8b7d00", a -> a.load(R15, at(RBP, 0)));
    is("mov rax,[r13]", "498b4500", a -> a.load(RAX, at(R13, 0)));
    is("mov rdi,[r13+127]", "498b7d7f", a -> a.load(RDI, at(R13, 127)));
    is("mov r8,[rbp-128]", "4c8b4580", a -> a.load(R8, at(RBP, -128)));
    is("mov r12,[r15+128]", "4d8ba780000000", a -> a.load(R12, at(R15, 128)));
    is("mov r13,[rdi-129]", "4c8baf7fffffff", a -> a.load(R13, at(RDI, -129)));
    is("mov r15,[rax+rdi]", "4c8b3c38", a -> a.load(R15, at(RAX, RDI, 0)));
    is("mov rax,[r8+r15+8]", "4b8b443808", a -> a.load(RAX, at(R8, R15, 8)));
    is("mov rdi,[rax+r12]", "4a8b3c20", a -> a.load(RDI, at(RAX, R12, 0)));
    is("mov r8,[r12+rax]", "4d8b0404", a -> a.load(R8, at(R12, RAX, 0)));
    is("mov r12,[rbp+rax]", "4c8b640500", a -> a.load(R12, at(RBP, RAX, 0)));
    is("mov r13,[r13+r13]", "4f8b6c2d00", a -> a.load(R13, at(R13, R13, 0)));
    is("mov r15,[rsp+rbp-8]", "4c8b7c2cf8", a -> a.load(R15, at(RSP, RBP, -8)));
    is("mov rax,[r12+r13+100000]", "4b8b842ca0860100", a -> a.load(RAX, at(R12, R13, 100000)));
    is("mov [r13],r8", "4d894500", a -> a.store(at(R13, 0), R8));
    is("mov [r12+rdi-8],r12", "4d89643cf8", a -> a.store(at(R12, RDI, -8), R12));
    is("mov [rax+r15+128],rdi", "4a89bc3880000000", a -> a.store(at(RAX, R15, 128), RDI));
    is("lea r8,[r13]", "4d8d4500", a -> a.lea(R8, at(R13, 0)));
    is("lea r12,[r12+rdi-8]", "4d8d643cf8", a -> a.lea(R12, at(R12, RDI, -8)));
    is("lea rdi,[rax+r15+128]", "4a8dbc3880000000", a -> a.lea(RDI, at(RAX, R15, 128)));
    is("add r8,[r13]", "4d034500", a -> a.add(R8, at(R13, 0)));
    is("add r12,[r12+rdi-8]", "4d03643cf8", a -> a.add(R12, at(R12, RDI, -8)));
    is("add rdi,[rax+r15+128]", "4a03bc3880000000", a -> a.add(RDI, at(RAX, R15, 128)));
    is("add qword ptr [r13],-1000", "4981450018fcffff", a -> a.addImmediate(at(R13, 0), -1000));
    is("add qword ptr [rsp+rdi],1", "4881043c01000000", a -> a.addImmediate(at(RSP, RDI, 0), 1));
    is("sub qword ptr [r13],-1000", "49816d0018fcffff", a -> a.subImmediate(at(R13, 0), -1000));
    is("sub qword ptr [rsp+rdi],1", "48812c3c01000000", a -> a.subImmediate(at(RSP, RDI, 0), 1));
    is("prefetcht0 [rax]", "0f1808", a -> a.prefetch(at(RAX, 0)));
    is("prefetcht0 [rsp+64]", "0f184c2440", a -> a.prefetch(at(RSP, 64)));
    is("prefetcht0 [r12]", "410f180c24", a -> a.prefetch(at(R12, 0)));
    is("prefetcht0 [rbp]", "0f184d00", a -> a.prefetch(at(RBP, 0)));
    is("prefetcht0 [r13-64]", "410f184dc0", a -> a.prefetch(at(R13, -64)));
    is("prefetcht0 [rdi+r8]", "420f180c07", a -> a.prefetch(at(RDI, R8, 0)));
    is("prefetcht0 [r15+rax+128]", "410f188c0780000000", a -> a.prefetch(at(R15, RAX, 128)));
    is("prefetcht0 [r13+r12]", "430f184c2500", a -> a.prefetch(at(R13, R12, 0)));
    is("mov rax,[r12+r13+72]", "4b8b442c48", a -> a.load(RAX, at(R12, R13, 8).plus(64)));
  }

  @Test
  void vectors() {
    is("vmovups zmm0,zmm7", "62f17c4810c7", a -> a.vmov(0, 7));
    is("vmovups zmm8,zmm15", "62517c4810c7", a -> a.vmov(8, 15));
    is("vmovups zmm16,zmm31", "62817c4810c7", a -> a.vmov(16, 31));
    is("vmovups zmm31,zmm0", "62617c4810f8", a -> a.vmov(31, 0));
    is("vmovups zmm15,zmm16", "62317c4810f8", a -> a.vmov(15, 16));
    is("vmovups zmm7,zmm8", "62d17c4810f8", a -> a.vmov(7, 8));
    is("vcvtdq2ps zmm16,zmm31", "62817c485bc7", a -> a.vintsToFloats(16, 31));
    is("vcvtdq2ps zmm31,zmm0", "62617c485bf8", a -> a.vintsToFloats(31, 0));
    is("vpxord zmm0,zmm0,zmm0", "62f17d48efc0", a -> a.vzero(0));
    is("vpxord zmm15,zmm15,zmm15", "62510548efff", a -> a.vzero(15));
    is("vpxord zmm16,zmm16,zmm16", "62a17d40efc0", a -> a.vzero(16));
    is("vpbroadcastd zmm15,eax", "62727d487cf8", a -> a.vbroadcastInt(15, RAX));
    is("vpbroadcastd zmm16,r8d", "62c27d487cc0", a -> a.vbroadcastInt(16, R8));
    is("vpbroadcastd zmm31,edi", "62627d487cff", a -> a.vbroadcastInt(31, RDI));
    is("vfmadd231ps zmm0,zmm7,zmm8", "62d24548b8c0", a -> a.vfma(0, 7, 8));
    is("vfmadd231ps zmm15,zmm16,zmm31", "62127d40b8ff", a -> a.vfma(15, 16, 31));
    is("vfmadd231ps zmm31,zmm0,zmm15", "62427d48b8ff", a -> a.vfma(31, 0, 15));
    is("vfmadd231ps zmm8,zmm31,zmm0", "62720540b8c0", a -> a.vfma(8, 31, 0));
    is("vfmadd231ps zmm16,zmm15,zmm7", "62e20548b8c7", a -> a.vfma(16, 15, 7));
    is("vfmadd231ps zmm7,zmm8,zmm16", "62b23d48b8f8", a -> a.vfma(7, 8, 16));
    is("vfmadd213ps zmm31,zmm0,zmm15", "62427d48a8ff", a -> a.vfmaTo(31, 0, 15));
    is("vfmadd213ps zmm8,zmm31,zmm0", "62720540a8c0", a -> a.vfmaTo(8, 31, 0));
    is("vmulps zmm16,zmm15,zmm7", "62e1044859c7", a -> a.vmul(16, 15, 7));
    is("vmulps zmm7,zmm8,zmm16", "62b13c4859f8", a -> a.vmul(7, 8, 16));
    is("vaddps zmm0,zmm7,zmm8", "62d1444858c0", a -> a.vadd(0, 7, 8));
    is("vaddps zmm15,zmm16,zmm31", "62117c4058ff", a -> a.vadd(15, 16, 31));
    is("vsubps zmm31,zmm0,zmm15", "62417c485cff", a -> a.vsub(31, 0, 15));
    is("vsubps zmm8,zmm31,zmm0", "627104405cc0", a -> a.vsub(8, 31, 0));
    is("vminps zmm16,zmm15,zmm7", "62e104485dc7", a -> a.vmin(16, 15, 7));
    is("vminps zmm7,zmm8,zmm16", "62b13c485df8", a -> a.vmin(7, 8, 16));
    is("vmaxps zmm0,zmm7,zmm8", "62d144485fc0", a -> a.vmax(0, 7, 8));
    is("vmaxps zmm15,zmm16,zmm31", "62117c405fff", a -> a.vmax(15, 16, 31));
    is("vpaddd zmm31,zmm0,zmm15", "62417d48feff", a -> a.vaddInts(31, 0, 15));
    is("vpaddd zmm8,zmm31,zmm0", "62710540fec0", a -> a.vaddInts(8, 31, 0));
    is("vpandd zmm16,zmm15,zmm7", "62e10548dbc7", a -> a.vand(16, 15, 7));
    is("vpandd zmm7,zmm8,zmm16", "62b13d48dbf8", a -> a.vand(7, 8, 16));
    is("vpermps zmm0,zmm7,zmm8", "62d2454816c0", a -> a.vpermute(0, 7, 8));
    is("vpermps zmm15,zmm16,zmm31", "62127d4016ff", a -> a.vpermute(15, 16, 31));
    is("vshufps zmm15,zmm16,zmm31,27", "62117c40c6ff1b", a -> a.vshuffle(15, 16, 31, 27));
    is("vshufps zmm31,zmm0,zmm15,78", "62417c48c6ff4e", a -> a.vshuffle(31, 0, 15, 78));
    is("vshuff32x4 zmm15,zmm16,zmm31,27", "62137d4023ff1b", a -> a.vshuffleBlocks(15, 16, 31, 27));
    is("vshuff32x4 zmm31,zmm0,zmm15,78", "62437d4823ff4e", a -> a.vshuffleBlocks(31, 0, 15, 78));
    is("vpermilps zmm0,zmm7,255", "62f37d4804c7ff", a -> a.vpermuteInFours(0, 7, 255));
    is("vpermilps zmm8,zmm15,78", "62537d4804c74e", a -> a.vpermuteInFours(8, 15, 78));
    is("vpslld zmm16,zmm31,31", "62917d4072f71f", a -> a.vshiftLeft(16, 31, 31));
    is("vpslld zmm31,zmm0,1", "62f1054072f001", a -> a.vshiftLeft(31, 0, 1));
    is("vpsrld zmm0,zmm7,31", "62f17d4872d71f", a -> a.vshiftRight(0, 7, 31));
    is("vpsrld zmm8,zmm15,1", "62d13d4872d701", a -> a.vshiftRight(8, 15, 1));
    is("vpsrad zmm16,zmm31,31", "62917d4072e71f", a -> a.vshiftRightSigned(16, 31, 31));
    is("vpsrad zmm31,zmm0,1", "62f1054072e001", a -> a.vshiftRightSigned(31, 0, 1));
    is("vzeroupper", "c5f877", a -> a.vzeroupper());
  }

  @Test
  void masks() {
    is("vcmpneqps k0,zmm7,zmm8", "62d14448c2c004", a -> a.vnotEqual(0, 7, 8));
    is("vcmpneqps k7,zmm16,zmm31", "62917c40c2ff04", a -> a.vnotEqual(7, 16, 31));
    is("vcmpnltps k1,zmm31,zmm0", "62f10440c2c805", a -> a.vnotLess(1, 31, 0));
    is("vcmpnltps k7,zmm8,zmm15", "62d13c48c2ff05", a -> a.vnotLess(7, 8, 15));
    is("vcmpgeps k1,zmm7,zmm18", "62b14448c2ca0d", a -> a.vatLeast(1, 7, 18));
    is("vcmpgeps k3,zmm31,zmm0", "62f10440c2d80d", a -> a.vatLeast(3, 31, 0));
    is("vmovups [rcx]{k2},zmm0", "62f17c4a1101", a -> a.vstoreMasked(at(RCX, 0), 2, 0));
    is("vmovups [r8+64]{k1},zmm17", "62c17c49114801", a -> a.vstoreMasked(at(R8, 64), 1, 17));
    is(
        "vmovups [r12-128]{k7},zmm31",
        "62417c4f117c24fe",
        a -> a.vstoreMasked(at(R12, -128), 7, 31));
    is("vmovups zmm0{k1}{z},zmm7", "62f17cc910c7", a -> a.vkeep(0, 1, 7));
    is("vmovups zmm8{k7}{z},zmm15", "62517ccf10c7", a -> a.vkeep(8, 7, 15));
    is("vmovups zmm16{k2}{z},zmm31", "62817cca10c7", a -> a.vkeep(16, 2, 31));
    is("vmovups zmm31{k5}{z},zmm0", "62617ccd10f8", a -> a.vkeep(31, 5, 0));
    is("vmovups [rax]{k1},zmm0", "62f17c491100", a -> a.vstoreMasked(at(RAX, 0), 1, 0));
    is("vmovups [r13]{k7},zmm31", "62417c4f117d00", a -> a.vstoreMasked(at(R13, 0), 7, 31));
    is(
        "vmovups [rsp+r15+8128]{k3},zmm16",
        "62a17c4b11443c7f",
        a -> a.vstoreMasked(at(RSP, R15, 8128), 3, 16));
    is("vmovups [rbp+2]{k5},zmm8", "62717c4d118502000000", a -> a.vstoreMasked(at(RBP, 2), 5, 8));
    is("vcompressps zmm0{k1}{z},zmm7", "62f27dc98af8", a -> a.vcompress(0, 1, 7));
    is("vcompressps zmm8{k7}{z},zmm15", "62527dcf8af8", a -> a.vcompress(8, 7, 15));
    is("vcompressps zmm16{k2}{z},zmm31", "62227dca8af8", a -> a.vcompress(16, 2, 31));
    is("vcompressps zmm31{k5}{z},zmm0", "62927dcd8ac7", a -> a.vcompress(31, 5, 0));
    is("kmovw k0,eax", "c5f892c0", a -> a.kmov(0, RAX));
    is("kmovw k7,edi", "c5f892ff", a -> a.kmov(7, RDI));
    is("kortestw k1,k1", "c5f898c9", a -> a.kortest(1));
    is("kortestw k7,k7", "c5f898ff", a -> a.kortest(7));
    is("vbroadcastss zmm0{k1},[rax]", "62f27d491800", a -> a.vbroadcastMasked(0, 1, at(RAX, 0)));
    is(
        "vbroadcastss zmm31{k7},[r13]",
        "62427d4f187d00",
        a -> a.vbroadcastMasked(31, 7, at(R13, 0)));
    is(
        "vbroadcastss zmm16{k3},[rsp+r15+508]",
        "62a27d4b18443c7f",
        a -> a.vbroadcastMasked(16, 3, at(RSP, R15, 508)));
    is(
        "vbroadcastss zmm8{k5},[rbp+2]",
        "62727d4d188502000000",
        a -> a.vbroadcastMasked(8, 5, at(RBP, 2)));
  }

  @Test
  void vectorsAndMemory() {
    is("vmovups zmm0,[rax]", "62f17c481000", a -> a.vload(0, at(RAX, 0)));
    is("vmovups zmm7,[rsp]", "62f17c48103c24", a -> a.vload(7, at(RSP, 0)));
    is("vmovups zmm8,[r12]", "62517c48100424", a -> a.vload(8, at(R12, 0)));
    is("vmovups zmm15,[r13]", "62517c48107d00", a -> a.vload(15, at(R13, 0)));
    is("vmovups zmm16,[rdi+r8]", "62a17c48100407", a -> a.vload(16, at(RDI, R8, 0)));
    is("vmovups zmm31,[r15+r12]", "62017c48103c27", a -> a.vload(31, at(R15, R12, 0)));
    is("vmovups zmm16,[rbp]", "62e17c48104500", a -> a.vload(16, at(RBP, 0)));
    is("vmovups zmm0,[rax+64]", "62f17c48104001", a -> a.vload(0, at(RAX, 64)));
    is("vmovups zmm7,[rsp-64]", "62f17c48107c24ff", a -> a.vload(7, at(RSP, -64)));
    is("vmovups zmm8,[r12+8128]", "62517c481044247f", a -> a.vload(8, at(R12, 8128)));
    is("vmovups zmm15,[r13+8192]", "62517c4810bd00200000", a -> a.vload(15, at(R13, 8192)));
    is("vmovups zmm16,[rdi+r8-8192]", "62a17c4810440780", a -> a.vload(16, at(RDI, R8, -8192)));
    is("vmovups zmm31,[r15-8256]", "62417c4810bfc0dfffff", a -> a.vload(31, at(R15, -8256)));
    is("vmovups zmm16,[rbp+32]", "62e17c48108520000000", a -> a.vload(16, at(RBP, 32)));
    is("vmovups [rsp],zmm31", "62617c48113c24", a -> a.vstore(at(RSP, 0), 31));
    is("vmovups [r13-64],zmm16", "62c17c481145ff", a -> a.vstore(at(R13, -64), 16));
    is("vmovups [r12+r15+8],zmm15", "62117c4811bc3c08000000", a -> a.vstore(at(R12, R15, 8), 15));
    is("vmovups [rdi],zmm0", "62f17c481107", a -> a.vstore(at(RDI, 0), 0));
    is("vbroadcastss zmm0,[rax+508]", "62f27d4818407f", a -> a.vbroadcast(0, at(RAX, 508)));
    is("vbroadcastss zmm7,[rsp+512]", "62f27d4818bc2400020000", a -> a.vbroadcast(7, at(RSP, 512)));
    is("vbroadcastss zmm8,[r12-512]", "62527d4818442480", a -> a.vbroadcast(8, at(R12, -512)));
    is(
        "vbroadcastss zmm15,[r13-516]",
        "62527d4818bdfcfdffff",
        a -> a.vbroadcast(15, at(R13, -516)));
    is("vbroadcastss zmm16,[rbp+2]", "62e27d48188502000000", a -> a.vbroadcast(16, at(RBP, 2)));
    is("vfmadd231ps zmm0,zmm7,[rax]", "62f24548b800", a -> a.vfma(0, 7, at(RAX, 0)));
    is(
        "vfmadd231ps zmm0,zmm7,[rax]{1to16}",
        "62f24558b800",
        a -> a.vfmaBroadcast(0, 7, at(RAX, 0)));
    is(
        "vfmadd231ps zmm31,zmm16,[r13+508]{1to16}",
        "62427d50b87d7f",
        a -> a.vfmaBroadcast(31, 16, at(R13, 508)));
    is(
        "vfmadd231ps zmm23,zmm25,[rcx+44]{1to16}",
        "62e23550b8790b",
        a -> a.vfmaBroadcast(23, 25, at(RCX, 44)));
    is(
        "vfmadd231ps zmm8,zmm31,[rsp+r15-516]{1to16}",
        "62320550b8843cfcfdffff",
        a -> a.vfmaBroadcast(8, 31, at(RSP, R15, -516)));
    is("vfmadd231ps zmm31,zmm16,[r13+8128]", "62427d40b87d7f", a -> a.vfma(31, 16, at(R13, 8128)));
    is(
        "vfmadd231ps zmm8,zmm31,[rdi+r8-8192]",
        "62320540b8440780",
        a -> a.vfma(8, 31, at(RDI, R8, -8192)));
    is("vfmadd231ps zmm16,zmm15,[rbp+2]", "62e20548b88502000000", a -> a.vfma(16, 15, at(RBP, 2)));
    is("vcvtph2ps zmm0,[rax]", "62f27d481300", a -> a.vhalvesToFloats(0, at(RAX, 0)));
    is("vcvtph2ps zmm8,[r12+4064]", "62527d481344247f", a -> a.vhalvesToFloats(8, at(R12, 4064)));
    is(
        "vcvtph2ps zmm16,[rbp+4096]",
        "62e27d48138500100000",
        a -> a.vhalvesToFloats(16, at(RBP, 4096)));
    is(
        "vcvtph2ps zmm31,[rdi+r8-4096]",
        "62227d48137c0780",
        a -> a.vhalvesToFloats(31, at(RDI, R8, -4096)));
    is(
        "vpmovsxbd zmm31,[r15+r12+2032]",
        "62027d48217c277f",
        a -> a.vbytesToInts(31, at(R15, R12, 2032)));
    is(
        "vpmovsxbd zmm16,[rbp+2048]",
        "62e27d48218500080000",
        a -> a.vbytesToInts(16, at(RBP, 2048)));
    is("vpmovsxbd zmm0,[rax+8]", "62f27d48218008000000", a -> a.vbytesToInts(0, at(RAX, 8)));
    is(
        "vpmovzxbd zmm7,[rsp-2048]",
        "62f27d48317c2480",
        a -> a.vunsignedBytesToInts(7, at(RSP, -2048)));
    is(
        "vpmovzxbd zmm15,[r13-2064]",
        "62527d4831bdf0f7ffff",
        a -> a.vunsignedBytesToInts(15, at(R13, -2064)));
    is(
        "vpmovzxbd zmm16,[rdi+r8-16]",
        "62a27d48314407ff",
        a -> a.vunsignedBytesToInts(16, at(RDI, R8, -16)));
    is(
        "vpmovzxwd zmm8,[r12+4064]",
        "62527d483344247f",
        a -> a.vunsignedShortsToInts(8, at(R12, 4064)));
    is(
        "vpmovzxwd zmm16,[rbp+4096]",
        "62e27d48338500100000",
        a -> a.vunsignedShortsToInts(16, at(RBP, 4096)));
    is(
        "vpmovzxwd zmm16,[rdi+r8-4096]",
        "62a27d4833440780",
        a -> a.vunsignedShortsToInts(16, at(RDI, R8, -4096)));
    is(
        "vpmovzxwd zmm0,[rax-4128]",
        "62f27d483380e0efffff",
        a -> a.vunsignedShortsToInts(0, at(RAX, -4128)));
    is(
        "vpmovzxwd zmm7,[rsp+16]",
        "62f27d4833bc2410000000",
        a -> a.vunsignedShortsToInts(7, at(RSP, 16)));
    is("vmulps zmm0,zmm7,[rsp]{1to16}", "62f14458590424", a -> a.vmulBroadcast(0, 7, at(RSP, 0)));
    is(
        "vmulps zmm15,zmm7,[r13+4]{1to16}",
        "62514458597d01",
        a -> a.vmulBroadcast(15, 7, at(R13, 4)));
    is(
        "vmulps zmm31,zmm8,[r12+r13+508]{1to16}",
        "62013c58597c2c7f",
        a -> a.vmulBroadcast(31, 8, at(R12, R13, 508)));
    is(
        "vmulps zmm8,zmm31,[rbp+512]{1to16}",
        "62710450598500020000",
        a -> a.vmulBroadcast(8, 31, at(RBP, 512)));
    is(
        "vmulps zmm16,zmm0,[rdi+r15-512]{1to16}",
        "62a17c5859443f80",
        a -> a.vmulBroadcast(16, 0, at(RDI, R15, -512)));
    is(
        "vmulps zmm16,zmm31,[r8+2]{1to16}",
        "62c10450598002000000",
        a -> a.vmulBroadcast(16, 31, at(R8, 2)));
    is("vmulps zmm7,zmm16,[r13]", "62d17c40597d00", a -> a.vmul(7, 16, at(R13, 0)));
    is("vmulps zmm31,zmm15,[r12+r8+64]", "62010448597c0401", a -> a.vmul(31, 15, at(R12, R8, 64)));
    is("vaddps zmm0,zmm31,[rsp+64]", "62f1044058442401", a -> a.vadd(0, 31, at(RSP, 64)));
    is("vaddps zmm16,zmm8,[rax+8]", "62e13c48588008000000", a -> a.vadd(16, 8, at(RAX, 8)));
    is("vpandd zmm15,zmm7,[rbp]", "62714548db7d00", a -> a.vand(15, 7, at(RBP, 0)));
    is("vpandd zmm8,zmm16,[r8+r15]", "62117d40db0438", a -> a.vand(8, 16, at(R8, R15, 0)));
    is("vpslld zmm0,[rsp],31", "62f17d487234241f", a -> a.vshiftLeft(0, at(RSP, 0), 31));
    is("vpslld zmm31,[r13+64],1", "62d1054072750101", a -> a.vshiftLeft(31, at(R13, 64), 1));
    is(
        "vpsrad zmm8,[r8+rax],4",
        "62d13d4872240004",
        a -> a.vshiftRightSigned(8, at(R8, RAX, 0), 4));
    is(
        "vpsrad zmm16,[rdi+8],1",
        "62f17d4072a70800000001",
        a -> a.vshiftRightSigned(16, at(RDI, 8), 1));
  }

  @Test
  void jumpsForwardAndBack() {
    // {disp32} jmp 1f; ret; 1: ret
    assertThat(hex(a -> around(a, to -> a.jump(to)))).isEqualTo("e901000000c3c3");
    // 1: ret; {disp32} jmp 1b
    assertThat(hex(a -> back(a, to -> a.jump(to)))).isEqualTo("c3e9faffffff");
    // 1: {disp32} jmp 1b
    assertThat(hex(a -> a.jump(bound(a)))).isEqualTo("e9fbffffff");
  }

  @ParameterizedTest
  @CsvSource({
    "BELOW, 82",
    "ABOVE_OR_EQUAL, 83",
    "EQUAL, 84",
    "NOT_EQUAL, 85",
    "BELOW_OR_EQUAL, 86",
    "ABOVE, 87"
  })
  void jumpsOnEachCondition(Condition condition, String opcode) {
    // {disp32} jb 1f; ret; 1: ret
    assertThat(hex(a -> around(a, to -> a.jump(condition, to))))
        .isEqualTo("0f" + opcode + "01000000c3c3");
    // 1: ret; {disp32} jb 1b
    assertThat(hex(a -> back(a, to -> a.jump(condition, to))))
        .isEqualTo("c30f" + opcode + "f9ffffff");
  }

  @Test
  void manyJumpsReachOneLabel() {
    // {disp32} jb 1f; {disp32} jmp 1f; ret; 1: ret; {disp32} ja 1b; {disp32} jmp 1b
    Consumer<Assembler> code =
        a -> {
          Label label = new Label();
          a.jump(BELOW, label);
          around(a, label, to -> a.jump(to));
          a.jump(ABOVE, label);
          a.jump(label);
        };
    assertThat(hex(code)).isEqualTo("0f8206000000e901000000c3c30f87f9ffffffe9f4ffffff");
  }

  /** The code outgrows its first array between a jump and its label. */
  @Test
  void jumpsFar() {
    // 2: {disp32} jmp 1f; .fill 5000,1,0xc3; 1: {disp32} je 2b
    Consumer<Assembler> code =
        a -> {
          Label start = bound(a);
          Label end = new Label();
          a.jump(end);
          for (int i = 0; i < 5000; i++) {
            a.ret();
          }
          a.bind(end);
          a.jump(EQUAL, start);
          assertThat(a.size()).isEqualTo(5 + 5000 + 6);
        };
    assertThat(hex(code)).isEqualTo("e988130000" + "c3".repeat(5000) + "0f846decffff");
  }

  @Test
  void fillsUpToACacheLine() {
    is("62 bytes, 2 of nothing", "c3".repeat(62) + "6690", a -> retsAndAlign(a, 62));
    is("7 of nothing", "c3".repeat(57) + "0f1f8000000000", a -> retsAndAlign(a, 57));
    is("8 and 5", "c3".repeat(51) + "0f1f8400000000000f1f440000", a -> retsAndAlign(a, 51));
    is("none", "c3".repeat(64), a -> retsAndAlign(a, 64));
  }

  private static void retsAndAlign(Assembler a, int rets) {
    for (int i = 0; i < rets; i++) {
      a.ret();
    }
    a.align();
  }

  @Test
  void refusesRspAsIndex() {
    assertThatThrownBy(() -> at(RAX, RSP, 0)).isInstanceOf(IllegalArgumentException.class);
  }

  private static void is(String text, String hex, Consumer<Assembler> code) {
    assertThat(hex(code)).as(text).isEqualTo(hex);
  }

  private static void around(Assembler a, Consumer<Label> jump) {
    around(a, new Label(), jump);
  }

  private static void around(Assembler a, Label label, Consumer<Label> jump) {
    jump.accept(label);
    a.ret();
    a.bind(label);
    a.ret();
  }

  private static void back(Assembler a, Consumer<Label> jump) {
    Label label = bound(a);
    a.ret();
    jump.accept(label);
  }

  private static Label bound(Assembler a) {
    Label label = new Label();
    a.bind(label);
    return label;
  }

  private static String hex(Consumer<Assembler> code) {
    Assembler a = new Assembler();
    code.accept(a);
    assertThat(a.code()).hasSize(a.size());
    return HexFormat.of().formatHex(a.code());
  }
}
