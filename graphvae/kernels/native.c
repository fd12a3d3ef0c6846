/* The arithmetic of training in float32, for one core: what graphvae/kernels/native.py calls.
 *
 * Written in the compiler's own vectors, 16 numbers wide where there is AVX-512 and 8 where there is AVX2; a library is
 * compiled for each, and native.py picks. Nothing here allocates, and every sum is taken in an order that depends on its
 * arguments and the library alone. A logit that is not finite makes the sums NaN.
 */

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define ENTRY __attribute__((visibility("default")))
#define INLINE static inline __attribute__((always_inline))

/* Numbers in a vector, and rows whose sums fit the registers. */
#if defined(__AVX512F__)
enum { LANES = 16, ROWS = 8 };
#else
enum { LANES = 8, ROWS = 4 };
#endif
enum { STEP = 2 * LANES, TILE = 512, CHUNK = 256 };

typedef float vec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

#ifndef DIGEST
#define DIGEST ""
#endif

/* Of the source that this was compiled from. */
ENTRY const char *digest(void) { return DIGEST; }

INLINE vec load(const float *at) { return *(const vec *)at; }
INLINE void store(float *at, vec x) { *(vec *)at = x; }
INLINE vec all(float x) { return x - (vec){0}; }
INLINE vec choose(ivec mask, vec yes, vec no) { return (vec)((mask & (ivec)yes) | (~mask & (ivec)no)); }

static const int32_t COUNTING[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

INLINE ivec counting(void) { return *(const ivec *)COUNTING; }

INLINE float sum(vec x)
{
    typedef float quarter __attribute__((vector_size(16), aligned(4), may_alias));
    quarter total = {0};
    for (int i = 0; i < LANES; i += 4)
        total += *(const quarter *)((const float *)&x + i);
    return (total[0] + total[1]) + (total[2] + total[3]);
}

/* exp(x) for |x| < 87, by Cephes' polynomial on [-ln 2 / 2, ln 2 / 2]. */
INLINE vec exponential(vec x)
{
    const vec magic = all(12582912.0f); /* 1.5 * 2^23: adding it rounds to an integer, which lies in the low bits */
    vec shifted = x * 1.44269504f + magic, n = shifted - magic;
    vec r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    vec y = r * 1.9875691500e-4f + 1.3981999507e-3f;
    y = y * r + 8.3334519073e-3f;
    y = y * r + 4.1665795894e-2f;
    y = y * r + 1.6666665459e-1f;
    y = y * r + 5.0000001201e-1f;
    y = y * (r * r) + (r + 1.0f);
    return (vec)((ivec)y + ((ivec)shifted << 23));
}

/* softplus(s) = relu(s) + log(w), w in [1, 2]; sigmoid(s); sigmoid(-s). */
typedef struct {
    vec magnitude, w, p, q;
} terms;

INLINE terms bernoulli(vec s)
{
    terms t;
    t.magnitude = (vec)((ivec)s & 0x7fffffff);
    /* What is not finite stays so. */
    vec e = exponential(choose(t.magnitude > 87.0f, all(-87.0f), -t.magnitude)) + s * 0.0f;
    t.w = e + 1.0f;
    vec inverse = 1.0f / t.w, small = e * inverse;
    ivec positive = s > 0.0f;
    t.p = choose(positive, inverse, small);
    t.q = choose(positive, small, inverse);
    return t;
}

/* A product of positive numbers that cannot overflow: mantissas, and the sum of the exponents. */
typedef struct {
    vec mantissa;
    ivec exponent;
} product;

INLINE product one(void) { return (product){all(1.0f), (ivec){0}}; }

/* Times w, finite, at least 1 and below 2^127. */
INLINE void multiply(product *x, vec w)
{
    ivec bits = (ivec)(x->mantissa * w);
    x->exponent += (bits >> 23) - 127;
    x->mantissa = (vec)((bits & 0x007fffff) | 0x3f800000);
}

INLINE double logarithm(product x)
{
    double total = 0;
    for (int i = 0; i < LANES; i++)
        total += log((double)x.mantissa[i]) + x.exponent[i] * 0.69314718055994530942;
    return total;
}

/* The largest squared length of rows (n, d); NaN, or infinite, where one is. */
INLINE double longest(const float *x, int64_t n, int64_t d)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++) {
        double length = 0;
        for (int64_t k = 0; k < d; k++)
            length += (double)x[i * d + k] * x[i * d + k];
        most = length > most || length != length ? length : most;
    }
    return most;
}

INLINE double softplus(double s) { return s > 0 ? s + log1p(exp(-s)) : log1p(exp(s)); }

/* One group of ROWS rows from `row` on against STEP columns from `column` on: sums, and sigmoids into `p`. */
INLINE void group(
    const float *left, const float *across, int64_t n, int64_t width, int64_t d, float bias, int64_t row,
    int64_t column, int masked, int small, product *w, vec *others, vec *chances, float *p)
{
    vec s[ROWS][2];
    for (int i = 0; i < ROWS; i++)
        s[i][0] = s[i][1] = all(bias);
    for (int64_t k = 0; k < d; k++) {
        vec first = load(across + k * width + column), second = load(across + k * width + column + LANES);
        for (int i = 0; i < ROWS; i++) {
            vec l = all(left[(row + i) * d + k]);
            s[i][0] += l * first;
            s[i][1] += l * second;
        }
    }
    for (int half = 0; half < 2; half++)
        for (int i = 0; i < ROWS; i++) {
            vec x = s[i][half], factor, chance, other; /* softplus(x) = log(factor) + other */
            if (small) {
                /* Where no exponential overflows there is no need for cases. */
                vec e = exponential(x);
                factor = e + 1.0f;
                chance = e / factor, other = all(0.0f);
            } else {
                terms t = bernoulli(x);
                factor = t.w, chance = t.p, other = 0.5f * (x + t.magnitude);
            }
            if (masked) {
                int64_t at = column + half * LANES;
                ivec number = counting(), kept = (number > (int32_t)(row + i - at)) & (number < (int32_t)(n - at));
                kept &= (ivec){0} - (row + i < n);
                factor = choose(kept, factor, all(1.0f));
                chance = (vec)((ivec)chance & kept);
                other = (vec)((ivec)other & kept);
            }
            multiply(w, factor);
            *chances += chance;
            if (!small)
                *others += other;
            store(p + i * TILE + half * LANES, chance);
        }
}

INLINE void into_rows(
    const float *p, const float *across, int64_t width, int64_t d, int64_t from, int64_t to, float *rows)
{
    /* Four rows by four dimensions: sixteen sums in registers from eight loads. */
    for (int64_t k = 0; k < d; k += 4)
        for (int i = 0; i < ROWS; i += 4) {
            vec total[4][4] = {0};
            const float *x[4];
            for (int l = 0; l < 4; l++)
                x[l] = across + (k + l < d ? k + l : k) * width;
            for (int64_t j = from; j < to; j += LANES) {
                vec weight[4];
                for (int r = 0; r < 4; r++)
                    weight[r] = load(p + (i + r) * TILE + j - from);
                for (int l = 0; l < 4; l++) {
                    vec y = load(x[l] + j);
                    for (int r = 0; r < 4; r++)
                        total[r][l] += weight[r] * y;
                }
            }
            for (int r = 0; r < 4; r++)
                for (int l = 0; l < 4 && k + l < d; l++)
                    rows[(i + r) * d + k + l] += sum(total[r][l]);
        }
}

INLINE void into_columns(
    const float *p, const float *z, int64_t width, int64_t d, int64_t from, int64_t to, float *columns)
{
    for (int64_t j = from; j < to; j += STEP) {
        vec weight[ROWS][2];
        for (int i = 0; i < ROWS; i++)
            for (int half = 0; half < 2; half++)
                weight[i][half] = load(p + i * TILE + j + half * LANES - from);
        for (int64_t k = 0; k < d; k++) {
            float *at = columns + k * width + j;
            vec first = load(at), second = load(at + LANES);
            for (int i = 0; i < ROWS; i++) {
                vec x = all(z[i * d + k]);
                first += weight[i][0] * x;
                second += weight[i][1] * x;
            }
            store(at, first);
            store(at + LANES, second);
        }
    }
}

/* Sums over all ordered pairs of s_ij = left_i . z_j + bias that have a column in every `tiles`th tile of TILE columns
 * from number `tile` on.
 *
 * left, z: (width, d), rows beyond n zero; across: (d, width), the transpose of z; width is a multiple of STEP.
 * rows (width, d) and columns (d, width): together, the one transposed, they are added sum_j sigmoid(s_ij) z_j.
 * sums: softplus(s), sigmoid(s).
 */
ENTRY void pair_sums(
    const float *left, const float *z, const float *across, int64_t n, int64_t width, int64_t d, float bias,
    int64_t tile, int64_t tiles, float *rows, float *columns, double *sums)
{
    float p[ROWS * TILE];
    double value = 0, sigmoids = 0, bound = fabs(bias) + sqrt(longest(left, n, d) * longest(z, n, d));
    int small = bound < 86; /* false if something is not finite */
    for (int64_t start = tile * TILE; start < n; start += tiles * TILE) {
        int64_t stop = start + TILE < width ? start + TILE : width;
        product w = one();
        for (int64_t row = 0; row < stop && row < n; row += ROWS) {
            if (row % 4096 == 0) { /* before exponents overflow */
                value += 2.0 * logarithm(w);
                w = one();
            }
            int64_t from = row / STEP * STEP > start ? row / STEP * STEP : start;
            vec others = all(0.0f), chances = all(0.0f);
            for (int64_t j = from; j < stop; j += STEP) {
                float *at = p + (j - from);
                int masked = j < row + ROWS || j + STEP > n || row + ROWS > n;
                if (small && !masked)
                    group(left, across, n, width, d, bias, row, j, 0, 1, &w, &others, &chances, at);
                else if (small)
                    group(left, across, n, width, d, bias, row, j, 1, 1, &w, &others, &chances, at);
                else
                    group(left, across, n, width, d, bias, row, j, 1, 0, &w, &others, &chances, at);
            }
            value += 2.0 * sum(others);
            sigmoids += 2.0 * sum(chances);
            into_rows(p, across, width, d, from, stop, rows + row * d);
            into_columns(p, z + row * d, width, d, from, stop, columns);
        }
        value += 2.0 * logarithm(w);
        for (int64_t i = start; i < stop && i < n; i++) {
            double s = bias;
            for (int64_t k = 0; k < d; k++)
                s += (double)left[i * d + k] * z[i * d + k];
            double chance = 1 / (1 + exp(-s));
            value += softplus(s);
            sigmoids += chance;
            for (int64_t k = 0; k < d; k++)
                rows[i * d + k] += (float)chance * z[i * d + k];
        }
    }
    sums[0] = value + 0 * sigmoids;
    sums[1] = sigmoids;
}

/* plus softplus(s) + minus softplus(-s) + c0 + c1 t + c2 t^2 with t = s - around: what one logit adds. */
typedef struct {
    float plus, minus, c0, c1, c2, around;
} weights;

/* Adds what `count` <= CHUNK logits s = scale dot + bias add: to sums the terms, their slopes, and slopes times dots;
 * and writes the slopes. There is room for a whole vector after the last dot and the last slope.
 */
INLINE void add_terms(
    const float *dots, int64_t count, float scale, float bias, weights by, float *slopes, double *sums)
{
    product w = one();
    vec others = all(0.0f), slope = all(0.0f), scaled = all(0.0f);
    for (int64_t j = 0; j < count; j += LANES) {
        ivec kept = counting() < (int32_t)(count - j);
        vec dot = (vec)((ivec)load(dots + j) & kept), s = dot * scale + bias, u = s - by.around;
        terms t = bernoulli(s);
        vec each = 0.5f * ((by.plus + by.minus) * t.magnitude + (by.plus - by.minus) * s) + u * (by.c1 + by.c2 * u);
        vec gradient = by.plus * t.p - by.minus * t.q + (by.c1 + 2.0f * by.c2 * u);
        gradient = (vec)((ivec)gradient & kept);
        store(slopes + j, gradient);
        others += (vec)((ivec)each & kept);
        slope += gradient;
        scaled += gradient * dot;
        multiply(&w, choose(kept, t.w, all(1.0f)));
    }
    sums[0] += sum(others) + ((double)by.plus + by.minus) * logarithm(w) + (double)by.c0 * count;
    sums[1] += sum(slope);
    sums[2] += sum(scaled);
}

/* The sum of what n logits add, and their slopes. */
ENTRY double softplus_terms(const float *s, int64_t n, const float *by, float *slope)
{
    double sums[3] = {0};
    weights given = {by[0], by[1], by[2], by[3], by[4], by[5]};
    for (int64_t start = 0; start < n; start += CHUNK) {
        int64_t count = start + CHUNK < n ? CHUNK : n - start;
        float here[CHUNK + LANES], slopes[CHUNK + LANES];
        memcpy(here, s + start, sizeof(float) * count);
        add_terms(here, count, 1.0f, 0.0f, given, slopes, sums);
        memcpy(slope + start, slopes, sizeof(float) * count);
    }
    return sums[0];
}

/* sum_k signs_k x_k y_k; signs may be NULL. */
INLINE float inner(const float *x, const float *y, const float *signs, int64_t d)
{
    vec total = all(0.0f);
    float rest = 0;
    int64_t k = 0;
    for (; k + LANES <= d; k += LANES)
        total += signs ? load(x + k) * load(y + k) * load(signs + k) : load(x + k) * load(y + k);
    for (; k < d; k++)
        rest += signs ? x[k] * y[k] * signs[k] : x[k] * y[k];
    return sum(total) + rest;
}

/* g += r signs y. */
INLINE void add_row(float *g, float r, const float *y, const float *signs, int64_t d)
{
    int64_t k = 0;
    for (; k + LANES <= d; k += LANES) {
        vec by = all(r);
        if (signs)
            by *= load(signs + k);
        store(g + k, load(g + k) + by * load(y + k));
    }
    for (; k < d; k++)
        g[k] += (signs ? r * signs[k] : r) * y[k];
}

/* The inner products of edges (u, v). */
ENTRY void edge_dots(
    const float *z, const float *signs, int64_t d, const int64_t *u, const int64_t *v, int64_t edges, float *dots)
{
    for (int64_t e = 0; e < edges; e++)
        dots[e] = inner(z + u[e] * d, z + v[e] * d, signs, d);
}

/* What weights of them add to dz: g_u += weight_e signs z_v and g_v += weight_e signs z_u. */
ENTRY void edge_gradient(
    const float *z, const float *signs, int64_t d, const int64_t *u, const int64_t *v, int64_t edges,
    const float *weight, float *g)
{
    for (int64_t e = 0; e < edges; e++) {
        add_row(g + u[e] * d, weight[e], z + v[e] * d, signs, d);
        add_row(g + v[e] * d, weight[e], z + u[e] * d, signs, d);
    }
}

INLINE void add_edges_and_nodes(
    const float *z, const float *signs, int64_t n, int64_t d, const int64_t *u, const int64_t *v, int64_t edges,
    float scale, float bias, const float *on_edges, const float *on_nodes, float factor, int wanted,
    float *g, double *sums)
{
    const float *o = on_edges, *p = on_nodes;
    weights of_edges = {o[0], o[1], o[2], o[3], o[4], o[5]}, of_nodes = {p[0], p[1], p[2], p[3], p[4], p[5]};
    float dots[CHUNK + LANES], slopes[CHUNK + LANES];
    memset(sums, 0, sizeof(double) * 6);
    for (int64_t start = 0; start < n; start += CHUNK) {
        int64_t count = start + CHUNK < n ? CHUNK : n - start;
        for (int64_t i = 0; i < count; i++)
            dots[i] = inner(z + (start + i) * d, z + (start + i) * d, signs, d);
        add_terms(dots, count, scale, bias, of_nodes, slopes, sums + 3);
        for (int64_t i = 0; wanted && i < count; i++) {
            float *row = g + (start + i) * d;
            for (int64_t k = 0; k < d; k++)
                row[k] *= factor;
            add_row(row, 2 * scale * slopes[i], z + (start + i) * d, signs, d);
        }
    }
    for (int64_t start = 0; start < edges; start += CHUNK) {
        int64_t count = start + CHUNK < edges ? CHUNK : edges - start;
        for (int64_t e = 0; e < count; e++)
            dots[e] = inner(z + u[start + e] * d, z + v[start + e] * d, signs, d);
        add_terms(dots, count, scale, bias, of_edges, slopes, sums);
        for (int64_t e = 0; wanted && e < count; e++) {
            int64_t i = u[start + e], j = v[start + e];
            add_row(g + i * d, scale * slopes[e], z + j * d, signs, d);
            add_row(g + j * d, scale * slopes[e], z + i * d, signs, d);
        }
    }
}

/* What edges and nodes add to a weighted sum over pairs of logits s = scale z_u . z_v + bias.
 *
 * g (n, d), or NULL where that is not wanted: times `factor`, plus the gradient in z. sums: of the edges and of the
 * nodes, the terms, their slopes, and slopes times inner products.
 */
ENTRY void edge_and_node_terms(
    const float *z, const float *signs, int64_t n, int64_t d, const int64_t *u, const int64_t *v, int64_t edges,
    float scale, float bias, const float *on_edges, const float *on_nodes, float factor, float *g, double *sums)
{
    /* The usual case is made of constants, for the compiler to unroll. */
    if (d == 16 && !signs && g)
        add_edges_and_nodes(z, 0, n, 16, u, v, edges, scale, bias, on_edges, on_nodes, factor, 1, g, sums);
    else
        add_edges_and_nodes(z, signs, n, d, u, v, edges, scale, bias, on_edges, on_nodes, factor, g != 0, g, sums);
}

/* sum_i z_i and sum_i z_i z_i' of rows (n, d), d a multiple of LANES; work: (d + 1, d). */
INLINE void moments(const float *z, int64_t n, int64_t d, float *work, double *first, double *second)
{
    memset(first, 0, sizeof(double) * d);
    memset(second, 0, sizeof(double) * d * d);
    for (int64_t start = 0; start < n; start += CHUNK) {
        int64_t stop = start + CHUNK < n ? start + CHUNK : n;
        memset(work, 0, sizeof(float) * d * (d + 1));
        for (int64_t b = 0; b < d; b += LANES) {
            for (int64_t i = start; i < stop; i++)
                store(work + b, load(work + b) + load(z + i * d + b));
            for (int64_t a = 0; a < d; a += ROWS) {
                vec total[ROWS] = {0};
                for (int64_t i = start; i < stop; i++) {
                    vec x = load(z + i * d + b);
                    for (int l = 0; l < ROWS; l++)
                        total[l] += z[i * d + a + l] * x;
                }
                for (int l = 0; l < ROWS; l++)
                    store(work + (a + l + 1) * d + b, total[l]);
            }
        }
        for (int64_t k = 0; k < d; k++)
            first[k] += work[k];
        for (int64_t k = 0; k < d * d; k++)
            second[k] += work[d + k];
    }
}

/* The pairs (i, i + shift mod n) of rows (n, d), those of the sorted nodes `base` + i in `skip` left out:
 * with dot = sum_k signs_k z_ik z_jk, t = scale dot + offset, s = t + around, p = sigmoid(s), f = softplus(s),
 * sums of 1, t, p, f, dot, t t, t p, t dot, p dot; and g_i += weight r z_j and g_j += weight r z_i with the residual's
 * slope r = p - c1 - 2 c2 t. d is a multiple of LANES.
 */
INLINE void shifted_pairs(
    const float *z, const float *signs, int64_t n, int64_t d, int64_t shift, const int64_t *skip, int64_t skips,
    int64_t base, float scale, float offset, float around, float c1, float c2, float weight, float *g, double *sums)
{
    float dots[CHUNK], slopes[CHUNK];
    int64_t next = 0;
    product w = one();
    for (int64_t start = 0; start < n; start += CHUNK) {
        int64_t size = start + CHUNK < n ? CHUNK : n - start, whole = (size + LANES - 1) / LANES * LANES;
        memset(dots, 0, sizeof dots);
        for (int64_t l = 0; l < size; l++) {
            int64_t i = start + l, j = i + shift < n ? i + shift : i + shift - n;
            vec total = all(0.0f);
            for (int64_t k = 0; k < d; k += LANES)
                total += load(z + i * d + k) * load(z + j * d + k) * load(signs + k);
            dots[l] = sum(total);
        }
        int64_t first = next;
        while (next < skips && skip[next] - base < start + size)
            next++;
        vec totals[9] = {0};
        for (int64_t l = 0; l < whole; l += LANES) {
            ivec number = counting(), kept = number < (int32_t)(size - l);
            for (int64_t at = first; at < next; at++)
                kept &= number != (int32_t)(skip[at] - base - start - l);
            vec dot = load(dots + l), t = dot * scale + offset, s = t + around;
            terms each = bernoulli(s);
            vec r = each.p - c1 - 2 * c2 * t;
            store(slopes + l, (vec)((ivec)(r * weight) & kept));
            multiply(&w, choose(kept, each.w, all(1.0f)));
            vec p = each.p, f = 0.5f * (s + each.magnitude); /* and log(w), below */
            vec rows[9] = {all(1.0f), t, p, f, dot, t * t, t * p, t * dot, p * dot};
            for (int k = 0; k < 9; k++)
                totals[k] += (vec)((ivec)rows[k] & kept);
        }
        for (int k = 0; k < 9; k++)
            sums[k] += sum(totals[k]);
        for (int64_t l = 0; l < size; l++) {
            int64_t i = start + l, j = i + shift < n ? i + shift : i + shift - n;
            vec r = all(slopes[l]);
            for (int64_t k = 0; k < d; k += LANES) {
                vec x = load(z + i * d + k), y = load(z + j * d + k);
                store(g + i * d + k, load(g + i * d + k) + r * y);
                store(g + j * d + k, load(g + j * d + k) + r * x);
            }
        }
    }
    sums[3] += logarithm(w);
}

INLINE void estimate(
    const float *z, int64_t n, int64_t d, int64_t wide, const int32_t *order, const float *signs, const int64_t *ring,
    int64_t shifts, const int64_t *edges, const int64_t *at, const double *line, double weight, float *room, float *to_z,
    double *moment, double *sums)
{
    float *x = room, *g = x + n * wide, *matrix = g + n * wide;
    double scale = line[0], offset = line[1], m = line[2], c1 = line[3], c2 = line[4];
    double *first = moment, *second = moment + wide;
    for (int64_t i = 0; i < n; i++) {
        const float *row = z + order[i] * d;
        int64_t k = 0;
        for (; k + LANES <= d; k += LANES)
            store(x + i * wide + k, load(row + k));
        for (; k < wide; k++)
            x[i * wide + k] = k < d ? row[k] : 0;
    }
    moments(x, n, wide, matrix, first, second);
    memset(sums, 0, sizeof(double) * 20);
    for (int64_t a = 0; a < wide; a++) {
        sums[0] += signs[a] * first[a] * first[a];
        for (int64_t b = 0; b < wide; b++)
            sums[1] += signs[a] * second[a * wide + b] * second[a * wide + b] * signs[b];
    }
    /* The quadratic: its slope at the centre times the sum of the others, and what is linear in z_i. */
    float *constant = matrix + wide * wide;
    for (int64_t b = 0; b < wide; b++) {
        constant[b] = (float)((c1 + 2 * c2 * offset) * first[b]);
        for (int64_t a = 0; a < wide; a++)
            matrix[a * wide + b] = (float)(2 * c2 * scale * signs[a] * second[a * wide + b]);
    }
    for (int64_t b = 0; b < wide; b += LANES) {
        vec held[LANES], start = load(constant + b); /* a matrix of one vector's width stays in registers */
        for (int a = 0; a < LANES; a++)
            held[a] = load(matrix + a * wide + b);
        for (int64_t i = 0; i < n; i++) {
            vec even = start, odd = all(0.0f);
            for (int64_t a = 0; a < wide; a += 2) {
                even += x[i * wide + a] * (wide == LANES ? held[a] : load(matrix + a * wide + b));
                odd += x[i * wide + a + 1] * (wide == LANES ? held[a + 1] : load(matrix + (a + 1) * wide + b));
            }
            store(g + i * wide + b, even + odd);
        }
    }
    shifted_pairs(x, signs, n, wide, 0, edges, 0, 0, scale, offset, m, c1, c2, 0.5f, g, sums + 2);
    for (int64_t l = 0; l < shifts; l++)
        shifted_pairs(
            x, signs, n, wide, ring[l], edges + at[2 * l], at[2 * l + 1] - at[2 * l], ring[l] * n, scale, offset, m, c1,
            c2, weight / 2, g, sums + 11);
    for (int64_t i = 0; i < n; i++) {
        float *row = to_z + order[i] * d;
        int64_t k = 0;
        for (; k + LANES <= d; k += LANES)
            store(row + k, load(g + i * wide + k));
        for (; k < d; k++)
            row[k] = g[i * wide + k];
    }
}

/* What graphvae/kernels/control_variate.py needs of z (n, d): sums over the diagonal and over `shifts` shifts, and the
 * gradient, but for the factor 2 scale signs_k.
 *
 * order: the nodes' order in the ring; signs: (wide), zero beyond d; edges: sorted keys shift * n + i of pairs to leave
 * out, those of the l-th shift from at[2 l] to at[2 l + 1]; line: scale, offset, m, c1, c2.
 * room: floats for z and its gradient in that order, 2 n wide, and wide (wide + 1) more; wide: d, or the next multiple of
 * LANES. to_z: (n, d). moment: wide (wide + 1) numbers of room, and sums: inner and squares, the sums of z_i . z_j
 * and of its square over all pairs, then nine sums (see above) of the diagonal and nine of the shifted pairs.
 */
ENTRY void pair_estimate(
    const float *z, int64_t n, int64_t d, int64_t wide, const int32_t *order, const float *signs, const int64_t *ring,
    int64_t shifts, const int64_t *edges, const int64_t *at, const double *line, double weight, float *room, float *to_z,
    double *moment, double *sums)
{
    /* The usual width is a constant, for the compiler to unroll. */
    if (wide == 16)
        estimate(z, n, d, 16, order, signs, ring, shifts, edges, at, line, weight, room, to_z, moment, sums);
    else
        estimate(z, n, d, wide, order, signs, ring, shifts, edges, at, line, weight, room, to_z, moment, sums);
}

/* One step of Adam on the `part`th of `parts` equal parts of every array; `first` and `second` are its running means.
 * Numbers too small to be normal are taken as zero: a mean that fades out, as those of weights without a gradient do,
 * would make every step many times as slow.
 */
ENTRY void adam(
    int64_t arrays, float *const *values, const float *const *gradients, float *const *means, float *const *squares,
    const int64_t *sizes, int64_t part, int64_t parts, float take_first, float keep_second, float take_second,
    float rate, float root, float eps)
{
    unsigned mode = _mm_getcsr();
    _mm_setcsr(mode | 0x8040);
    for (int64_t l = 0; l < arrays; l++) {
        float *restrict x = values[l], *restrict first = means[l], *restrict second = squares[l];
        const float *restrict gradient = gradients[l];
        for (int64_t i = sizes[l] * part / parts; i < sizes[l] * (part + 1) / parts; i++) {
            float g = gradient[i];
            float m = first[i] + take_first * (g - first[i]);
            float v = second[i] * keep_second + take_second * g * g;
            first[i] = m;
            second[i] = v;
            x[i] -= rate * m / (sqrtf(v) / root + eps);
        }
    }
    _mm_setcsr(mode);
}

/* Rows of a sparse matrix times x, `vectors` vectors of columns at a time from number `from` on. */
INLINE void product_columns(
    const int32_t *pointers, const int32_t *columns, const float *values, float factor, int64_t start, int64_t stop,
    const float *x, int64_t d, int64_t from, int vectors, float *out)
{
    for (int64_t i = start; i < stop; i++) {
        /* Two sums, so that one addition need not wait for the other. */
        vec even[4] = {0}, odd[4] = {0};
        int32_t e = pointers[i], end = pointers[i + 1];
        for (; e + 1 < end; e += 2) {
            const float *first = x + (int64_t)columns[e] * d + from, *second = x + (int64_t)columns[e + 1] * d + from;
            for (int l = 0; l < vectors; l++) {
                even[l] += (values ? values[e] : 1.0f) * load(first + l * LANES);
                odd[l] += (values ? values[e + 1] : 1.0f) * load(second + l * LANES);
            }
        }
        for (int l = 0; l < vectors; l++) {
            vec total = even[l] + odd[l];
            if (e < end)
                total += (values ? values[e] : 1.0f) * load(x + (int64_t)columns[e] * d + from + l * LANES);
            store(out + i * d + from + l * LANES, factor * total);
        }
    }
}

INLINE void product_rows(
    const int32_t *pointers, const int32_t *columns, const float *values, float factor, int64_t start, int64_t stop,
    const float *x, int64_t d, float *out)
{
    int64_t k = 0;
    for (; k + 4 * LANES <= d; k += 4 * LANES)
        product_columns(pointers, columns, values, factor, start, stop, x, d, k, 4, out);
    for (; k + 2 * LANES <= d; k += 2 * LANES)
        product_columns(pointers, columns, values, factor, start, stop, x, d, k, 2, out);
    for (; k + LANES <= d; k += LANES)
        product_columns(pointers, columns, values, factor, start, stop, x, d, k, 1, out);
    for (int64_t i = start; k < d && i < stop; i++) {
        float total[LANES] = {0};
        for (int32_t e = pointers[i]; e < pointers[i + 1]; e++)
            for (int64_t l = k; l < d; l++)
                total[l - k] += (values ? values[e] : 1.0f) * x[(int64_t)columns[e] * d + l];
        for (int64_t l = k; l < d; l++)
            out[i * d + l] = factor * total[l - k];
    }
}

/* Rows `start` to `stop` of out (., d): a matrix in compressed sparse rows, whose values are all `factor` if `values` is
 * NULL, times x (., d).
 */
ENTRY void sparse_product(
    const int32_t *pointers, const int32_t *columns, const float *values, float factor, int64_t start, int64_t stop,
    const float *x, int64_t d, float *out)
{
    if (values)
        product_rows(pointers, columns, values, 1, start, stop, x, d, out);
    else
        product_rows(pointers, columns, 0, factor, start, stop, x, d, out);
}

/* Eight numbers, which is how torch takes them. */
typedef float eight __attribute__((vector_size(32), aligned(4), may_alias));
typedef int32_t bits __attribute__((vector_size(32), aligned(4), may_alias));

INLINE eight either(bits mask, eight yes, eight no) { return (eight)((mask & (bits)yes) | (~mask & (bits)no)); }

/* log(x) for normal x > 0, by Cephes' polynomial on [sqrt(1/2), sqrt(2)]. */
INLINE eight natural_logarithm(eight x)
{
    bits exponent = ((bits)x - 0x3f3504f3) >> 23;
    eight e = __builtin_convertvector(exponent, eight), r = (eight)((bits)x - (exponent << 23)) - 1.0f, square = r * r;
    eight y = r * 7.0376836292e-2f - 1.1514610310e-1f;
    y = y * r + 1.1676998740e-1f;
    y = y * r - 1.2420140846e-1f;
    y = y * r + 1.4249322787e-1f;
    y = y * r - 1.6668057665e-1f;
    y = y * r + 2.0000714765e-1f;
    y = y * r - 2.4999993993e-1f;
    y = y * r + 3.3333331174e-1f;
    y = y * r * square - e * 2.12194440e-4f - 0.5f * square;
    return r + y + e * 0.693359375f;
}

/* cos(2 pi u) and sin(2 pi u) for u in [0, 1], by Cephes' polynomials on [-pi / 4, pi / 4]. */
INLINE void circle(eight u, eight *cosine, eight *sine)
{
    eight turned = 4.0f * u + 12582912.0f; /* see exponential() */
    eight r = (4.0f * u - (turned - 12582912.0f)) * 1.57079632679f, square = r * r;
    bits quarter = (bits)turned, swapped = -(quarter & 1);
    eight s = (square * -1.9515295891e-4f + 8.3321608736e-3f) * square - 1.6666654611e-1f;
    eight c = (square * 2.443315711809948e-5f - 1.388731625493765e-3f) * square + 4.166664568298827e-2f;
    s = s * square * r + r;
    c = c * (square * square) - 0.5f * square + 1.0f;
    *cosine = (eight)((bits)either(swapped, s, c) ^ (((quarter + 1) & 2) << 30));
    *sine = (eight)((bits)either(swapped, c, s) ^ ((quarter & 2) << 30));
}

/* Of a Mersenne twister: how many numbers its state has, and how far ahead of each lies one that it is renewed from. */
enum { WORDS = 624, AHEAD = 397 };

INLINE uint32_t twist(uint32_t here, uint32_t next)
{
    uint32_t y = (here & 0x80000000u) | (next & 0x7fffffffu);
    return (y >> 1) ^ (0x9908b0dfu & (0u - (next & 1u)));
}

/* Matsumoto and Nishimura, Mersenne Twister (1998). */
INLINE void renew(uint32_t *state)
{
    for (int i = 0; i < WORDS - AHEAD; i++)
        state[i] = state[i + AHEAD] ^ twist(state[i], state[i + 1]);
    for (int i = WORDS - AHEAD; i < WORDS - 1; i++)
        state[i] = state[i + AHEAD - WORDS] ^ twist(state[i], state[i + 1]);
    state[WORDS - 1] = state[AHEAD - 1] ^ twist(state[WORDS - 1], state[0]);
}

/* `count` numbers in [0, 1), of 24 bits; *used of `state` have been. */
INLINE void uniform(uint32_t *state, uint64_t *used, int64_t count, float *out)
{
    while (count > 0) {
        if (*used == WORDS) {
            renew(state);
            *used = 0;
        }
        int64_t here = WORDS - (int64_t)*used < count ? WORDS - (int64_t)*used : count;
        const uint32_t *from = state + *used;
        for (int64_t i = 0; i < here; i++) {
            uint32_t y = from[i];
            y ^= y >> 11;
            y ^= (y << 7) & 0x9d2c5680u;
            y ^= (y << 15) & 0xefc60000u;
            y ^= y >> 18;
            out[i] = (float)(int32_t)(y & 0xffffffu) * 0x1p-24f;
        }
        *used += here;
        count -= here;
        out += here;
    }
}

/* 16 such numbers become normal: eight radii and eight angles (Box and Muller, 1958). */
INLINE void box_muller(float *x)
{
    eight cosine, sine, square = -2.0f * natural_logarithm(1.0f - *(const eight *)x);
    eight radius = (eight)_mm256_sqrt_ps((__m256)square);
    circle(*(const eight *)(x + 8), &cosine, &sine);
    *(eight *)x = radius * cosine;
    *(eight *)(x + 8) = radius * sine;
}

/* A torch generator's own state: the seed, how many numbers are left and whether there is a seed, how many have been
 * used, and the numbers, 64 bits for each. */
INLINE uint64_t taken_on(const uint64_t *state, uint32_t *words)
{
    int32_t left;
    memcpy(&left, state + 1, sizeof left);
    for (int i = 0; i < WORDS; i++)
        words[i] = (uint32_t)state[3 + i];
    return left == 1 ? WORDS : state[2]; /* a fresh state has used none, and has none left */
}

INLINE void put_back(uint64_t *state, const uint32_t *words, uint64_t used)
{
    int32_t left = (int32_t)(WORDS + 1 - used);
    for (int i = 0; i < WORDS; i++)
        state[3 + i] = words[i];
    state[2] = used;
    memcpy(state + 1, &left, sizeof left);
}

/* n numbers in [0, 1): those that torch would draw next on a CPU. */
ENTRY void standard_uniform(uint64_t *state, float *out, int64_t n)
{
    uint32_t words[WORDS];
    uint64_t used = taken_on(state, words);
    uniform(words, &used, n, out);
    put_back(state, words, used);
}

/* n >= 16 standard normal numbers: those that torch would draw next on a CPU, by the same steps. */
ENTRY void standard_normal(uint64_t *state, float *out, int64_t n)
{
    uint32_t words[WORDS];
    uint64_t used = taken_on(state, words);
    uniform(words, &used, n, out);
    for (int64_t i = 0; i + 16 <= n; i += 16)
        box_muller(out + i);
    if (n % 16) {
        uniform(words, &used, 16, out + n - 16);
        box_muller(out + n - 16);
    }
    put_back(state, words, used);
}

INLINE vec clamp(vec x, float low, float high) { return choose(x < low, all(low), choose(x > high, all(high), x)); }

/* Rows [mu, log sigma] (n, 2 d) apart: mu, log sigma within [low, high], and sigma. */
ENTRY void gaussian(
    const float *parameters, int64_t n, int64_t d, float low, float high, float *mu, float *log_sigma, float *sigma)
{
    for (int64_t i = 0; i < n; i++) {
        const float *from = parameters + 2 * i * d;
        int64_t at = i * d, k = 0;
        for (; k + LANES <= d; k += LANES, at += LANES) {
            vec s = clamp(load(from + d + k), low, high);
            store(mu + at, load(from + k));
            store(log_sigma + at, s);
            /* What is not finite stays so. */
            store(sigma + at, exponential(s) + s * 0.0f);
        }
        for (; k < d; k++, at++) {
            vec s = clamp(all(from[d + k]), low, high);
            mu[at] = from[k];
            log_sigma[at] = s[0];
            sigma[at] = (exponential(s) + s * 0.0f)[0];
        }
    }
}

/* The gradient in the parameters from those in the three. */
ENTRY void gaussian_gradient(
    const float *of_mu, const float *of_log, const float *of_sigma, const float *log_sigma, const float *sigma,
    int64_t n, int64_t d, float low, float high, float *out)
{
    for (int64_t i = 0; i < n; i++) {
        float *to = out + 2 * i * d;
        int64_t at = i * d, k = 0;
        for (; k + LANES <= d; k += LANES, at += LANES) {
            vec s = load(log_sigma + at), total = load(of_log + at) + load(of_sigma + at) * load(sigma + at);
            store(to + k, load(of_mu + at));
            store(to + d + k, (vec)((ivec)total & (s > low) & (s < high)));
        }
        for (; k < d; k++, at++) {
            to[k] = of_mu[at];
            to[d + k] =
                log_sigma[at] > low && log_sigma[at] < high ? of_log[at] + of_sigma[at] * sigma[at] : 0;
        }
    }
}

/* sum (mu^2 + r^2 - 1) / 2 - log r of each of n rows of `width` numbers. */
ENTRY void divergence(
    const float *mu, const float *r, const float *log_r, int64_t n, int64_t width, float *out)
{
    for (int64_t i = 0; i < n; i++) {
        const float *a = mu + i * width, *b = r + i * width, *c = log_r + i * width;
        double total = 0;
        for (int64_t start = 0; start < width; start += CHUNK) {
            int64_t stop = start + CHUNK < width ? start + CHUNK : width, k = start;
            vec part = all(0.0f);
            for (; k + LANES <= stop; k += LANES) {
                vec m = load(a + k), s = load(b + k);
                part += 0.5f * (m * m + s * s) - (load(c + k) + 0.5f);
            }
            total += sum(part);
            for (; k < stop; k++)
                total += 0.5f * (a[k] * a[k] + b[k] * b[k]) - (c[k] + 0.5f);
        }
        out[i] = (float)total;
    }
}

/* Its gradient in mu and r: they times the row's weight. */
ENTRY void divergence_gradient(
    const float *mu, const float *r, const float *weight, int64_t n, int64_t width, float *to_mu, float *to_r)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = i * width; k < (i + 1) * width; k++) {
            to_mu[k] = weight[i] * mu[k];
            to_r[k] = weight[i] * r[k];
        }
}

/* A draw z = mu + sigma eps (n, d) of the Gaussians with rows [mu, log sigma] (n, 2 d) of parameters, sigma, and the
 * divergence from the standard normal of each datum, `vectors` rows.
 */
ENTRY void gaussian_draw(
    const float *parameters, const float *eps, int64_t n, int64_t d, int64_t vectors, float low, float high, float *z,
    float *sigma, float *divergences)
{
    double total = 0;
    for (int64_t i = 0; i < n; i++) {
        const float *mu = parameters + 2 * i * d, *log_sigma = mu + d;
        int64_t at = i * d, k = 0;
        vec part = all(0.0f);
        float rest = 0;
        for (; k + LANES <= d; k += LANES, at += LANES) {
            vec s = clamp(load(log_sigma + k), low, high), m = load(mu + k), r = exponential(s) + s * 0.0f;
            store(z + at, m + r * load(eps + at));
            store(sigma + at, r);
            part += 0.5f * (m * m + r * r) - (s + 0.5f);
        }
        for (; k < d; k++, at++) {
            vec s = clamp(all(log_sigma[k]), low, high);
            float m = mu[k], r = (exponential(s) + s * 0.0f)[0];
            z[at] = m + r * eps[at];
            sigma[at] = r;
            rest += 0.5f * (m * m + r * r) - (s[0] + 0.5f);
        }
        total += sum(part) + rest;
        if ((i + 1) % vectors == 0) {
            divergences[i / vectors] = (float)total;
            total = 0;
        }
    }
}

/* The gradient in its parameters, from those in z (n, d) and in the divergences. */
ENTRY void gaussian_draw_gradient(
    const float *parameters, const float *eps, const float *sigma, const float *of_z, const float *of_divergence,
    int64_t n, int64_t d, int64_t vectors, float low, float high, float *out)
{
    for (int64_t i = 0; i < n; i++) {
        const float *mu = parameters + 2 * i * d, *log_sigma = mu + d;
        float *to_mu = out + 2 * i * d, *to_log = to_mu + d, weight = of_divergence[i / vectors];
        int64_t at = i * d, k = 0;
        for (; k + LANES <= d; k += LANES, at += LANES) {
            vec s = load(log_sigma + k), r = load(sigma + at), g = load(of_z + at);
            vec total = g * load(eps + at) * r + weight * (r * r - 1.0f);
            store(to_mu + k, g + weight * load(mu + k));
            store(to_log + k, (vec)((ivec)total & (s > low) & (s < high)));
        }
        for (; k < d; k++, at++) {
            float r = sigma[at], total = of_z[at] * eps[at] * r + weight * (r * r - 1.0f);
            to_mu[k] = of_z[at] + weight * mu[k];
            to_log[k] = log_sigma[k] > low && log_sigma[k] < high ? total : 0;
        }
    }
}

/* sum (x - y)^2 of each of n rows of `width` numbers. */
ENTRY void squared_error(const float *x, const float *y, int64_t n, int64_t width, float *out)
{
    for (int64_t i = 0; i < n; i++) {
        const float *a = x + i * width, *b = y + i * width;
        double total = 0;
        for (int64_t start = 0; start < width; start += CHUNK) {
            int64_t stop = start + CHUNK < width ? start + CHUNK : width, k = start;
            vec part = all(0.0f);
            for (; k + LANES <= stop; k += LANES) {
                vec difference = load(a + k) - load(b + k);
                part += difference * difference;
            }
            total += sum(part);
            for (; k < stop; k++)
                total += (a[k] - b[k]) * (a[k] - b[k]);
        }
        out[i] = (float)total;
    }
}

/* Its gradient in x, times the row's weight. */
ENTRY void squared_error_gradient(
    const float *x, const float *y, const float *weight, int64_t n, int64_t width, float *to_x)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = i * width; k < (i + 1) * width; k++)
            to_x[k] = 2 * weight[i] * (x[k] - y[k]);
}
