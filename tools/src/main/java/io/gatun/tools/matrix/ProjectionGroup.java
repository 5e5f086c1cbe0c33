package io.gatun.tools.matrix;

import java.util.List;

/**
 * Products of the same activations, handed to the team as one piece of work: queries, keys and
 * values, for instance. Immutable.
 */
public final class ProjectionGroup {
  final Projection[] projections;
  final int cols;
  final long bytes;

  /** A group of one or more products whose weights have the same number of columns. */
  public ProjectionGroup(List<Projection> projections) {
    this.projections = projections.toArray(Projection[]::new);
    this.cols = this.projections[0].weight().cols();
    long sum = 0;
    for (Projection projection : projections) {
      if (projection.weight().cols() != cols) {
        throw new IllegalArgumentException(
            "%s has %d columns, others of its group have %d"
                .formatted(projection.weight().name(), projection.weight().cols(), cols));
      }
      sum += projection.weight().bytes();
    }
    this.bytes = sum;
  }

  /** A group of one or more products; see the constructor. */
  public static ProjectionGroup of(Projection... projections) {
    return new ProjectionGroup(List.of(projections));
  }

  /** Tasks of so many rows that the group is cut into. */
  int tasks(int rowsPerTask) {
    int tasks = 0;
    for (Projection projection : projections) {
      tasks += (int) Math.ceilDiv(projection.weight().rows(), (long) rowsPerTask);
    }
    return tasks;
  }
}
