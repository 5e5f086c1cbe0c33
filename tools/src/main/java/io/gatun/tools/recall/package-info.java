/**
 * The built-in model {@code recall}: a byte-level Llama of three layers whose weights are computed,
 * not trained. It continues any passage of its context verbatim, run by the same code as any other
 * checkpoint. It is an induction head (Olsson et al., "In-context Learning and Induction Heads",
 * 2022) in closed form.
 *
 * <h2>What each layer does</h2>
 *
 * <pre>
 *            token                     in its residual stream afterwards
 *   embed    a byte x[t]               slot 0: the signs of x[t]
 *   layer 1  head h looks h + 1 back   slots 1..4: x[t-1] .. x[t-4]
 *   layer 2  head h looks 5 (h + 1)    slots 5..24: x[t-5] .. x[t-24], from slots 0..4 of the tokens
 *            back                      5, 10, 15 and 20 back
 *   layer 3  head 0 looks for the      out: the signs of x[p]
 *            last p with the same
 *            24 bytes before it
 *   lm_head  logit of byte b = 10 * (out . signs of b): 80 for x[p], at most 60 for any other
 * </pre>
 *
 * <p>Four query heads share two KV heads in layers 1 and 2: both heads of a group read the same keys
 * and values and differ in their queries only. In layer 3 one head does the work; the weights of the
 * others are zero, and so are those of the SwiGLU layers. A byte is eight signs ({@code ByteCode}):
 * seven bits and the parity of all eight, so that two ASCII characters differ in two of them or
 * more. {@code RecallDesign} draws the vectors dimension by dimension.
 *
 * <h2>Why three layers and 24 bytes</h2>
 *
 * <p>Two layers would need a query head for every byte of the match: 12 heads for 12 bytes. With a
 * layer between, (4 + 1)^2 = 25 bytes take 4 heads. In 200 bytes of continuation of a text like the
 * bundled one, 12 bytes of context meet an earlier or later passage that goes on differently about
 * every second time; 24 bytes hardly ever. The keys hold 12 of these bytes sign by sign and of the 12
 * before them the parity: 12 * 8 + 12 = 108 dimensions of 128.
 *
 * <h2>Positions: the scores of layers 1 and 2</h2>
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
 * <h2>Content: the scores of layer 3</h2>
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
 * <p>In double, without rounding: 68,000 between a full match and anything else.
 *
 * <h2>Limits</h2>
 *
 * <ul>
 *   <li>262,144 tokens ({@code max_position_embeddings}). Beyond, the recency is no longer monotone.
 *   <li>Two passages whose last 12 bytes are equal and whose 12 before those have equal parities are
 *       one passage to it.
 *   <li>The first 24 tokens of a context have slots with nothing to hold: they take an earlier byte
 *       there, or a mixture of two. A sequence carries no mark of its beginning.
 * </ul>
 */
package io.gatun.tools.recall;
