mod bench;
mod mesh;
mod promises;
mod timing;
