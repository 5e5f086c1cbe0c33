package io.gatun.tools.cli;

import io.gatun.cache.GatunException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;

/**
 * Files that a user names, or that lie in a folder that a user names. Links are followed: downloaded
 * models consist of them.
 */
public final class UserFiles {
  private UserFiles() {}

  /**
   * Refuses anything but a regular file, before it is opened: opening a pipe that nobody writes to
   * waits for ever, and a device may do anything.
   *
   * @return the same path; also if there is nothing, which opening it says
   * @throws GatunException if there is something else
   */
  public static Path require(Path file) throws IOException {
    BasicFileAttributes found;
    try {
      found = Files.readAttributes(file, BasicFileAttributes.class);
    } catch (NoSuchFileException e) {
      return file;
    }
    if (found.isDirectory()) {
      throw new GatunException("%s is a folder, not a file".formatted(file));
    }
    if (!found.isRegularFile()) {
      throw new GatunException(
          "%s is a pipe, a socket or a device, not a file; write what it gives to a file, and name that"
              .formatted(file));
    }
    return file;
  }
}
