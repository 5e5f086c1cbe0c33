/**
 * The built-in model {@code recall}: a byte-level Llama of two layers whose weights are computed, not
 * trained. It continues any passage of its context verbatim, run by the same code as any other
 * checkpoint. It is an induction head (Olsson et al., "In-context Learning and Induction Heads",
 * 2022) in closed form.
 *
 * <h2>What each layer does</h2>
 *
 * <pre>
 *            token                       in its residual stream afterwards
 *   embed    a byte x[t]                 slot 0: the signs of x[t]
 *   layer 1  head h = 0..23 looks        slots 1..24: x[t-1] .. x[t-24]
 *            h + 1 back
 *   layer 2  head 0 looks for the last   out: the signs of x[p]
 *            p with the same 24 bytes
 *            before it
 *   lm_head  logit of byte b = 10 * (out . signs of b): 80 for x[p], at most 60 for any other
 * </pre>
 *
 * <p>In layer 1, 24 query heads share two KV heads: the twelve heads of a group read the same keys and
 * values and differ in their queries only. In layer 2 one head does the work; the weights of the
 * others are zero, and so are those of the SwiGLU layers. A byte is eight signs ({@code ByteCode}):
 * seven bits and the parity of all eight, so that two ASCII characters differ in two of them or
 * more. {@code RecallDesign} draws the vectors dimension by dimension.
 *
 * <h2>Why 24 bytes</h2>
 *
 * <p>Where a passage's last {@code n} bytes stand elsewhere too and go on differently there, the later
 * place wins. Over 200 bytes of continuation of the bundled text that happens to 52 in 100 passages
 * with 12 bytes, to 20 with 16, and to 3 with 24. The keys of layer 2 have room for 12 bytes sign by
 * sign and for the parity of the 12 before them, 12 * 8 + 12 = 108 of 128 dimensions; those figures
 * count parities as such.
 *
 * <h2>Positions: the scores of layer 1</h2>
 *
 * <p>The norm's weights undo the norm, so that projections see the stream itself, with 1 for the
 * constant. Keys are 1 in the first dimension of pairs 0..9 and 0 elsewhere; the query of a head
 * that looks {@code j} back is {@code S (cos(j f_i), -sin(j f_i))} in pair {@code i}, where {@code
 * f_i = 10^(-38 i / 64)} is the pair's frequency and {@code S = 128} (times {@code sqrt(128)}, which
 * the softmax divides by). After the rotary embedding, the score at a distance {@code d} is
 *
 * <pre>
 *   s(d) = S * sum over i = 0..9 of cos((d - j) f_i)
 * </pre>
 *
 * which is greatest, 1280, at {@code d = j}. Its neighbours have 63.2 less, every other distance up to
 * 262,144 at least 137 less. The softmax therefore gives the wanted token all but e^-63, less than
 * an f32 can tell from 1, and what arrives in a slot are signs, +1 or -1.
 *
 * <h2>Content: the scores of layer 2</h2>
 *
 * <p>The frequencies of pairs 16..63 are below 3.2e-10: within 262,144 positions they turn by less
 * than 1e-4, less than half a rounding step of F16 or BF16 at the value 1.5 that a sign has in the
 * key. So those keys are stored without an error in any element type. Pairs 10..15 hold the parities,
 * where a turn of at most 0.31 does no harm. With {@code u = 163840} the score of a key at
 * position {@code p} for a query at {@code t} is
 *
 * <pre>
 *     sum over j = 1..12  of  u 1.1^(12-j) (8 - 2 [signs in which x[p-j] and x[t+1-j] differ])
 *   + sum over j = 13..24 of  u (+1 if the parities of x[p-j] and x[t+1-j] are equal, else -1)
 *   - T sin((t - p) f_9)
 * </pre>
 *
 * with {@code T = 262144}, {@code f_9 = 4.53e-6}. The last line is the recency: it falls by 1.19 a
 * token at first, by 0.44 at a distance of 262,144, so that of equal passages the later one wins. All
 * of it is 0.93 T, and one sign less costs 2 u = 1.25 T: a place that matches fully wins over any
 * that does not, wherever they stand. The rest of the first two lines decides where nothing
 * matches fully: nearer bytes count more.
 *
 * <h2>Margins, by element type of the cache</h2>
 *
 * <p>In nats, over every distance up to 262,144, with the greatest error that rounded keys and f32
 * sums can make; {@code MarginsTest} computes them. The spacing is that from which on the later of
 * two equal passages surely wins, in contexts of 16,384, 131,072 and 262,144 tokens; of closer ones
 * either may win, or, if their keys round to the same, a mixture of both.
 *
 * <pre>
 *                                          F32            F16            BF16
 *   layer 1: wanted distance - any other   62             62             57
 *   layer 2: full match - any other        67,000         64,000         42,000
 *   spacing of equal passages              12, 12, 25     20, 135, 155   110, 1,040, 1,210
 * </pre>
 *
 * <p>What is needed: ln(262,144) + ln(2^25) = 30, which leaves all others together less than f32 can
 * tell from 0 beside 1.
 *
 * <h2>Limits</h2>
 *
 * <ul>
 *   <li>262,144 tokens ({@code max_position_embeddings}). Beyond, the recency is no longer monotone.
 *   <li>Two passages whose last 12 bytes are equal and whose 12 before those have equal parities are
 *       one passage to it.
 *   <li>The first 24 tokens of a context have slots with nothing to hold: they take one of the bytes
 *       that are there, or a mixture. A sequence carries no mark of its beginning, so that a match
 *       of a few bytes there may lose to another.
 * </ul>
 */
package io.gatun.tools.recall;
