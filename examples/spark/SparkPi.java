package org.apache.spark.examples;

import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;

/**
 * Estimates Pi on the cluster: the share of random points of a square that fall into its circle. PyPI's distribution leaves
 * the jar with Spark's own example of this name out, and a launch asks for it by that name.
 *
 * <p>Usage: SparkPi [partitions]
 */
public final class SparkPi {
  private static final int POINTS_PER_PARTITION = 100_000;

  public static void main(String[] args) {
    int partitions = args.length > 0 ? Integer.parseInt(args[0]) : 2;
    try (SparkSession session = SparkSession.builder().appName("Spark Pi").getOrCreate()) {
      JavaSparkContext context = JavaSparkContext.fromSparkContext(session.sparkContext());
      List<Integer> seeds = IntStream.range(0, partitions).boxed().collect(Collectors.toList());
      long inside = context.parallelize(seeds, partitions).map(SparkPi::pointsInside).reduce(Long::sum);
      System.out.println("Pi is roughly " + 4.0 * inside / ((long) partitions * POINTS_PER_PARTITION));
    }
  }

  private static long pointsInside(int seed) {
    ThreadLocalRandom random = ThreadLocalRandom.current();
    long inside = 0;
    for (int i = 0; i < POINTS_PER_PARTITION; i++) {
      double x = random.nextDouble(), y = random.nextDouble();
      if (x * x + y * y <= 1) {
        inside++;
      }
    }
    return inside;
  }
}
