package io.gatun.store.fault;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.locks.LockSupport;

/** A small file system of its own, mounted for a test. Needs root. */
final class SmallDisk implements AutoCloseable {
  private final Path mount;
  private boolean mounted;

  private SmallDisk(Path mount) {
    this.mount = mount;
  }

  static SmallDisk tmpfs(Path folder, long bytes) throws IOException {
    SmallDisk disk = new SmallDisk(Files.createDirectory(folder.resolve("tmpfs")));
    Faults.run("mount", "-t", "tmpfs", "-o", "size=" + bytes, "gatun-test", disk.mount.toString());
    disk.mounted = true;
    return disk;
  }

  /** An ext4 in a file, without reserved blocks. */
  static SmallDisk ext4(Path folder, long bytes) throws IOException {
    Path image = folder.resolve("ext4.image");
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.setLength(bytes);
    }
    Faults.run("mkfs.ext4", "-q", "-m", "0", "-b", "4096", image.toString());
    SmallDisk disk = new SmallDisk(Files.createDirectory(folder.resolve("ext4")));
    disk.mount(image);
    return disk;
  }

  void mount(Path image) throws IOException {
    Faults.run("mount", "-o", "loop", image.toString(), mount.toString());
    mounted = true;
  }

  void unmount() throws IOException {
    IOException last = null;
    for (int tries = 0; tries < 100; tries++) {
      try {
        Faults.run("umount", mount.toString());
        mounted = false;
        return;
      } catch (IOException e) {
        // A process that was just killed may still be letting go of its files.
        last = e;
        LockSupport.parkNanos(50_000_000);
      }
    }
    throw last;
  }

  Path path() {
    return mount;
  }

  @Override
  public void close() throws IOException {
    if (mounted) {
      unmount();
    }
  }
}
