/** Reading, mapping and writing safetensors files and Hugging Face checkpoint folders. */
package io.gatun.tools.safetensors;
