package io.gatun.tools;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** The edges between the modules: the data's way has one direction. */
@AnalyzeClasses(packages = "io.gatun", importOptions = DoNotIncludeTests.class)
class ArchitectureTest {
  @ArchTest
  static final ArchRule CACHE_NEEDS_THE_JDK_ONLY =
      classes()
          .that()
          .resideInAPackage("io.gatun.cache..")
          .should()
          .onlyDependOnClassesThat()
          .resideInAnyPackage("io.gatun.cache..", "java..", "jdk.incubator.vector..");

  @ArchTest
  static final ArchRule STORE_NEEDS_CACHE_AND_CHRONICLE =
      classes()
          .that()
          .resideInAPackage("io.gatun.store..")
          .should()
          .onlyDependOnClassesThat()
          .resideInAnyPackage(
              "io.gatun.store..",
              "io.gatun.cache..",
              "net.openhft.chronicle..",
              "java..",
              "javax.crypto..",
              "jdk.jfr..");

  @ArchTest
  static final ArchRule ATTENTION_NEEDS_CACHE_ONLY =
      classes()
          .that()
          .resideInAPackage("io.gatun.attention..")
          .should()
          .onlyDependOnClassesThat()
          .resideInAnyPackage(
              "io.gatun.attention..", "io.gatun.cache..", "java..", "jdk.incubator.vector..");

  @ArchTest
  static final ArchRule CHRONICLE_STAYS_IN_THE_STORE =
      noClasses()
          .that()
          .resideOutsideOfPackage("io.gatun.store..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("net.openhft..");

  @ArchTest
  static final ArchRule NATIVE_CALLS_STAND_IN_TWO_CLASSES_AND_WHERE_MACHINE_CODE_IS_MADE =
      noClasses()
          .that()
          .doNotHaveFullyQualifiedName("io.gatun.cache.Posix")
          .and()
          .doNotHaveFullyQualifiedName("io.gatun.attention.Prefetch")
          .and()
          .resideOutsideOfPackage("io.gatun.attention.code")
          .should()
          .dependOnClassesThat()
          .haveFullyQualifiedName("java.lang.foreign.Linker");

  @ArchTest
  static final ArchRule UNSAFE_IS_NOT_USED =
      noClasses().should().dependOnClassesThat().haveFullyQualifiedName("sun.misc.Unsafe");

  @ArchTest
  static final ArchRule COMMANDS_DO_NOT_CIRCLE =
      slices().matching("io.gatun.tools.(*)..").should().beFreeOfCycles();
}
