# Sourced by ./gatun and ./mvnw: sets JAVA_HOME to a JDK 25, wherever one is installed.
# Says what to do and returns 1 if there is none.

gatun_is_jdk25() {
  [ -n "$1" ] && [ -x "$1/bin/javac" ] && [ -f "$1/release" ] &&
    grep -Eq '^JAVA_VERSION="25([."+-]|$)' "$1/release"
}

gatun_find_jdk25() {
  gatun_is_jdk25 "${JAVA_HOME-}" && return 0
  # A java on the PATH is usually a link: its home is two folders above the file behind it.
  if command -v java >/dev/null 2>&1; then
    gatun_home=$(dirname "$(dirname "$(readlink -f "$(command -v java)" 2>/dev/null || command -v java)")")
    gatun_is_jdk25 "$gatun_home" && JAVA_HOME=$gatun_home && export JAVA_HOME && return 0
  fi
  case $- in *f*) gatun_noglob=1 ;; *) gatun_noglob= ;; esac
  set +f
  for gatun_home in /usr/lib/jvm/* /usr/lib64/jvm/* /usr/java/* /opt/java/* /opt/*jdk* /opt/*java* \
    /usr/local/*jdk* /usr/local/opt/openjdk*/libexec/openjdk.jdk/Contents/Home \
    /opt/homebrew/opt/openjdk*/libexec/openjdk.jdk/Contents/Home \
    /Library/Java/JavaVirtualMachines/*/Contents/Home \
    "${HOME:-/}"/Library/Java/JavaVirtualMachines/*/Contents/Home \
    "${HOME:-/}"/.sdkman/candidates/java/* "${HOME:-/}"/.jdks/* "${HOME:-/}"/.gradle/jdks/* \
    "${HOME:-/}"/.asdf/installs/java/* "${HOME:-/}"/.local/share/mise/installs/java/*; do
    if gatun_is_jdk25 "$gatun_home"; then
      [ -z "$gatun_noglob" ] || set -f
      JAVA_HOME=$gatun_home
      export JAVA_HOME
      return 0
    fi
  done
  [ -z "$gatun_noglob" ] || set -f
  cat >&2 <<TXT
Gatun needs a JDK 25, and found none: not in JAVA_HOME (${JAVA_HOME:-not set}), not on the PATH,
not in the usual folders (/usr/lib/jvm, /opt, ~/.sdkman, ~/.jdks, /Library/Java).
Install one, for instance Eclipse Temurin 25 from https://adoptium.net (Debian: temurin-25-jdk;
macOS: brew install --cask temurin@25; any system: sdk install java 25-tem), or set JAVA_HOME
to the folder of one. It need not be the default java.
TXT
  return 1
}
