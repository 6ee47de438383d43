mod mesh;
mod promises;
